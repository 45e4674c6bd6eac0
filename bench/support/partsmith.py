"""pg-partsmith in one process: a table by day, over one connection. One command a line, `plan` or `apply`, with the day that
counts as now and the number of days from there on; one answer a line, with the seconds that the library's call took."""

import json
import sys
from datetime import datetime
from time import perf_counter

from pg_partsmith import PartitionTableSpec
from pg_partsmith.sync import PartitionToolkit
from sqlalchemy import create_engine


def config(days):
    return PartitionTableSpec(
        table_name="events",
        partition_column="created_at",
        granularity="day",
        create_ahead_count=days,
        retention_count=1_000_000,
    ).to_config()


def main():
    kit = PartitionToolkit.from_engine(create_engine(sys.argv[1]))
    for line in sys.stdin:
        command = json.loads(line)
        now = datetime.fromisoformat(command["now"] + "T12:00:00+00:00")
        started = perf_counter()
        table = config(command["days"])
        plan = kit.service.plan(table, now=now)
        if command["action"] == "apply":
            kit.service.apply(table, plan)
        seconds = perf_counter() - started
        print(json.dumps({"seconds": seconds, "operations": len(plan.operations)}), flush=True)


main()
