"""A contestant's process: `python -m tests.bench.bus.hosting ORDER`. Each imports only what it needs."""

import os
import sys
from typing import NoReturn

from tests.bench.bus.order import Order


def main() -> NoReturn:
    """The whole process. It ends by SIGTERM, or with what went wrong in its log."""
    order = Order.from_text(sys.argv[1])
    file = os.open(order.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    match order.runtime:
        case "worker":
            from tests.bench.bus import worker

            worker.main(order)
        case "bare":
            from tests.bench.bus import bare

            bare.main(order)
        case "faust":
            from tests.bench.bus import faust_app

            faust_app.main(order)
    sys.exit(0)


if __name__ == "__main__":
    main()
