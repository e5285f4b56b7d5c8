"""``python -m apps.science.training CONFIG.yaml``: the former name of ``learning``."""

import runpy

runpy.run_module("apps.science.learning", run_name="__main__", alter_sys=True)
