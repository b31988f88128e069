import engine_world
import pytest

import cslib as cs
from cslib.sample.write import write_sample


@pytest.fixture(scope="session")
def postgres():
    """Address of a PostgreSQL server."""
    with engine_world.cluster() as address:
        yield address


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    """Spark on this machine."""
    session = engine_world.spark_session(tmp_path_factory.mktemp("spark"))
    yield session
    session.stop()


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The sample, of 250 customers."""
    path = tmp_path_factory.mktemp("sample")
    write_sample(path, customers=250, seed=1)
    return path


@pytest.fixture(scope="session")
def small(folder):
    return cs.load(folder)
