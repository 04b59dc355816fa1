"""The API describes itself: one document, every operation named once and told in a sentence."""

from fastapi.testclient import TestClient


def test_the_description_is_whole(client: TestClient) -> None:
    told = client.get("/openapi.json").json()
    assert told["openapi"].startswith("3.1")
    operations = [(path, name, one) for path, methods in told["paths"].items() for name, one in methods.items()]
    names = [one["operationId"] for _, _, one in operations]
    assert len(names) == len(set(names))
    assert [path for path, _, one in operations if not one.get("summary")] == []
    rooms = {path.split("/")[1].split(".")[0] for path, _, _ in operations}
    assert {"account", "explain", "nowcast", "plan", "ledger", "registry"} <= rooms
