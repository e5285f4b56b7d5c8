"""Kubernetes: what a pod asks for, with the real client and without a cluster."""

from pathlib import Path
from typing import Any

import pytest

from site_configs.build import build_config
from site_configs.checks.submit_script import submit_scripts
from site_configs.errors import SiteError
from site_configs.schema import Site

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: here, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: me, user: {token: t}}]
contexts: [{name: here, context: {cluster: here, user: me}}]
"""


def _site(**pool: Any) -> Site:
    pool = {"scheduler": "kubernetes", "image": "weft:1"} | pool
    return Site.model_validate({"name": "here", "executors": {"pool": pool}})


def test_no_client_or_no_cluster_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SiteError, match="Kubernetes"):
        build_config(_site(), tmp_path, {}, ["md"])


def test_a_pod_gets_what_the_file_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = "no extra kubernetes here; test_optional_clients.py installs it"
    pytest.importorskip("kubernetes", reason=missing)
    from kubernetes.config import kube_config

    config = tmp_path / "kubeconfig"
    config.write_text(KUBECONFIG)
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(config))
    site = _site(
        gpus_per_node=2, accelerator="rocm", cores_per_node=8, memory_per_node_gib=32,
        volumes={"claim": "/data"},
    )  # fmt: skip
    (executor,) = build_config(site, tmp_path, {}, ["md"]).executors
    provider = executor.provider
    assert (provider.max_cpu, provider.max_mem) == (8, "32Gi")
    assert provider.extra_limits == {"amd.com/gpu": "2"}
    assert provider.persistent_volumes == [("claim", "/data")]
    script = submit_scripts(site, tmp_path, ["md"])["md"]
    assert "site_configs.pools.worker_pool" in script
