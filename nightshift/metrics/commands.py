"""The command ``metrics``."""

import argparse

__all__ = ["register"]

PORT = 9464


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line's subparsers."""
    parser = subparsers.add_parser("metrics", help="figures of the night for Prometheus")
    actions = parser.add_subparsers(title="actions", metavar="<action>", required=True)
    show = actions.add_parser("show", help="print the figures as Prometheus reads them")
    show.set_defaults(run=_show)
    serve = actions.add_parser(
        "serve",
        help="answer Prometheus' scrapes until it is ended",
        description="Answers at http://HOST:PORT/metrics. It listens to this machine alone unless --host says "
        "otherwise; it asks for no password, so let nobody else reach it.",
    )
    serve.add_argument("--host", default="127.0.0.1", help="the address that it listens to (default: %(default)s)")
    serve.add_argument("--port", type=int, default=PORT, help="default: %(default)s")
    serve.set_defaults(run=_serve)


def _show(_: argparse.Namespace) -> int:
    from prometheus_client import CollectorRegistry, generate_latest

    from nightshift.context import open_context
    from nightshift.metrics.collector import LedgerCollector

    registry = CollectorRegistry()
    registry.register(LedgerCollector(open_context))
    print(generate_latest(registry).decode(), end="")
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    from prometheus_client import CollectorRegistry, start_http_server

    from nightshift.context import open_context
    from nightshift.metrics.collector import LedgerCollector

    registry = CollectorRegistry()
    registry.register(LedgerCollector(open_context))
    server, thread = start_http_server(arguments.port, addr=arguments.host, registry=registry)
    print(f"http://{arguments.host}:{server.server_port}/metrics", flush=True)
    thread.join()
    return 0
