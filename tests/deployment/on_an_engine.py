"""What only real containers can show; `make compose` names this file."""

import httpx
import pytest

from tests.deployment.containers import Containers, compose
from tests.deployment.test_two_nodes import LEFT, RIGHT, open_tab  # noqa: F401 - a fixture
from tests.servers.waiting import wait_until


@pytest.mark.parametrize("service", ["nginx", "node1"])
async def test_a_stop_with_an_open_tab_exits_0(service, open_tab, topology):  # noqa: F811
    left = await open_tab(LEFT)
    await left.sign_in("alice")
    await left.is_watching()
    container = next(each for each in [*topology.nodes, topology.proxy] if each.name == service)

    container.stop()

    assert container.state["ExitCode"] == 0


def test_a_restart_of_node_1_leaves_node_2_serving(topology):
    compose("restart", "node1", PORT=str(topology.port))
    for _ in range(20):
        answer = httpx.get(f"{topology.nginx.url}/healthz/", headers={"Host": RIGHT})
        assert answer.status_code == 200
    wait_until(lambda: topology.nodes[0].state["Health"] == "healthy", "node 1", 60)


async def test_another_port_works(open_tab, topology):  # noqa: F811
    """The demo's frames, and its forms, are on the port that was published."""
    assert topology.port != 8000
    assert isinstance(topology, Containers)
    right = await open_tab(RIGHT)
    await right.sign_in("bob")
    assert right.page.url == f"http://{RIGHT}:{topology.port}/"
