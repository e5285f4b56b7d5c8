"""``python -m apps.science.training CONFIG.yaml``: how jobs of before 0.2 begin."""

from apps.science.learning.__main__ import run

if __name__ == "__main__":
    run("force_matching")
