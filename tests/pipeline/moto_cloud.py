"""A moto server that knows the template's resource types, for the CDK's own command line.

Usage: python -m tests.pipeline.moto_cloud; it prints the port it listens on and runs until it is ended.
"""

from __future__ import annotations

import os
import threading


def main() -> None:
    """Serve on a free port of this machine."""
    from moto.server import ThreadedMotoServer

    from orchestration.embedded import policies
    from orchestration.embedded.deploy import publish_layers
    from orchestration.embedded.resources import teach_moto

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
    teach_moto()
    publish_layers(["/aws/service/powertools/python/arm64/python3.11/latest"])
    with policies.attached():
        print(port, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
