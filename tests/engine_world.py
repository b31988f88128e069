"""Engines of one's own for a test: a PostgreSQL cluster in a temporary folder, Spark on this machine."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

WANTED = os.environ.get("CSLIB_ENGINES", "")  # "required": an engine that is not there fails, and is not skipped
ORDER = "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"  # words in the order of a dictionary, and not of their bytes
KINDS = {"date": "date", "timestamp": "timestamp", "float64": "double precision", "int64": "bigint"}


def missing(what):
    if WANTED == "required":
        pytest.fail(f"{what} is not there, and CSLIB_ENGINES asks for it.")
    pytest.skip(f"{what} is not there.")


def binaries():
    """Folder of the newest PostgreSQL server, where Debian or the path has one."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    on_path = shutil.which("initdb")
    found = [*folders, *([Path(on_path).parent] if on_path else [])]
    return found[-1] if found else missing("A PostgreSQL server (Debian: postgresql)")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def cluster():
    """Run a server on loopback, as nobody where the test is root, which it refuses; give its address."""
    path, port, who = binaries(), free_port(), {}
    folder = Path(tempfile.mkdtemp(prefix="cslib-postgres-"))
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    run = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder, **who}
    data = folder / "data"
    subprocess.run([path / "initdb", "-D", data, "-U", "owner", "-A", "trust", "-N", "-E", "UTF8"], **run)
    options = f"-p {port} -h 127.0.0.1 -k {folder} -c fsync=off"
    control = [path / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    subprocess.run([*control, "-o", options, "start"], **run)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **run)
        shutil.rmtree(folder)


def fill(address, database, tables, schema="public"):
    """Make a database of Ibis tables, with a role ``reader`` that may read and nothing else, no temporary tables."""
    import psycopg

    with psycopg.connect(f"postgresql://owner@{address}/postgres", autocommit=True) as con:
        con.execute(f"DROP DATABASE IF EXISTS {database}")
        con.execute(f"CREATE DATABASE {database} TEMPLATE template0 {ORDER}")
        if not con.execute("SELECT 1 FROM pg_roles WHERE rolname = 'reader'").fetchone():
            con.execute("CREATE ROLE reader LOGIN")
    with psycopg.connect(f"postgresql://owner@{address}/{database}") as con:
        con.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
        con.execute(f"GRANT CONNECT ON DATABASE {database} TO reader")
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        con.execute(f"GRANT USAGE ON SCHEMA {schema} TO reader")
        for name, table in tables.items():
            columns = ", ".join(f'"{c}" {_kind(t)}' for c, t in table.schema().items())
            con.execute(f"CREATE TABLE {schema}.{name} ({columns})")
            with con.cursor().copy(f"COPY {schema}.{name} FROM STDIN") as copy:
                for row in table.to_pyarrow().to_pylist():
                    copy.write_row(tuple(row.values()))
        con.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader")
    return f"postgresql://reader@{address}/{database}"


def _kind(kind):
    if kind.is_decimal():
        return f"numeric({kind.precision},{kind.scale})"
    if kind.is_timestamp() and kind.timezone:
        return "timestamptz"
    return KINDS.get(str(kind), "text")


def nasty(n=160, seed=3):
    """Tables of text as somebody's export may have them: odd signs, ties, zones, all else that engines read apart."""
    rng = np.random.default_rng(seed)
    pick = lambda *words: str(rng.choice(words))  # noqa: E731
    tables = {name: [] for name in ("customers", "subscriptions", "orders", "usage", "surveys", "touchpoints")}
    for i in range(n):
        who = f"{pick('v', 'f', '', 'ü', '0', 'V')}{i:03d}{pick('v', 'f', '', 'a', 'A')}"
        start, plan = (
            date(2023, 1, 31) + timedelta(int(rng.integers(0, 600))),
            pick("vf", "f\v", "O'Neil", "a\\b", "100%", ""),
        )
        end = start + timedelta(int(rng.exponential(300)))
        gone = str(end) if end < date(2024, 12, 31) else ""
        kind = pick("voluntary", " Involuntary ", "\fvoluntary\v") if gone else ""
        tables["customers"].append((who, str(start), gone, kind, plan, pick("1", "2.5", "300", "")))
        price, half = int(rng.integers(5, 500)), start + (end - start) / 2
        tables["subscriptions"].append((who, str(start), str(half), f"{price}.125", plan))
        tables["subscriptions"].append((who, str(half), gone, f"{price + int(rng.integers(-3, 4))}.1", plan))
        for _ in range(int(rng.integers(0, 5))):
            day = start + timedelta(int(rng.integers(0, 200)))
            amount, zone = f"{rng.integers(-90, 900)}.{rng.integers(0, 99):02d}", pick("", "Z", "+05:30", "-0800")
            tables["orders"].append((who, str(day), amount, pick("new", "Renewal", "upsell ", "cross_sell")))
            tables["usage"].append((who, f"{day} {rng.integers(0, 23):02d}:59:00{zone}", pick("v", "f", "export\v")))
            score = pick("", "1", "3", "5")
            tables["surveys"].append((who, str(day), pick("NPS", "csat ", "\fces"), score, str(day) if score else ""))
            tables["touchpoints"].append((who, str(day), pick("vf", "fv", "review")))
    return {name: _frame(name, rows) for name, rows in tables.items()}


COLUMNS = {
    "customers": ["customer_id", "started_on", "churned_on", "churn_kind", "plan", "seats"],
    "subscriptions": ["customer_id", "started_on", "ended_on", "mrr", "plan"],
    "orders": ["customer_id", "ordered_on", "amount", "kind"],
    "usage": ["customer_id", "occurred_at", "feature"],
    "surveys": ["customer_id", "asked_on", "survey", "score", "answered_on"],
    "touchpoints": ["customer_id", "occurred_on", "kind"],
}


def _frame(name, rows):
    frame = pd.DataFrame(rows, columns=COLUMNS[name])
    return frame.where(frame != "", None)


def spark_session(folder):
    """Start Spark on this machine, for small data: no compiling of plans, one partition."""
    if not shutil.which("java"):
        missing("Java, which Spark runs on,")
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        missing("pyspark (the extra spark)")
    options = {
        "spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "1", "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN", "spark.sql.adaptive.enabled": "false",
        "spark.ui.showConsoleProgress": "false", "spark.sql.warehouse.dir": str(folder),
    }  # fmt: skip
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    session = SparkSession.builder.master("local[1]").config(map=options).getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session
