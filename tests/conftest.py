import gc
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, Page, Route, sync_playwright

# Read when numpy is loaded, here and in every kernel. Tests share the processors among themselves already, and on small
# arrays the threads of linear algebra spend several times what they compute on waiting for one another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# The same examples in every run; how long one takes says more of the machine than of the code.
settings.register_profile("cslib", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("cslib")

ROOT = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium")  # None: the browser that playwright installed
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)

REAL = os.environ.get("CSLIB_REAL_DATA", "")
os.environ["CSLIB_FOLDERS"] = REAL  # they are read where they lie
CDNOW = f"""
source = "{REAL}"
currency = "USD"
[orders]
table = "cdnow_transactions.csv"
columns = {{ ordered_on = "date", amount = "dollar_value" }}
date_format = "%Y%m%d"
"""
TELCO = f"""
source = "{REAL}"
currency = "USD"
[customers]
table = "telco_customer_churn.csv"
columns = {{ customer_id = "customerID", tenure_months = "tenure", churned = "Churn", mrr = "MonthlyCharges" }}
numbers = ["TotalCharges"]
segments = ["Contract", "InternetService", "PaymentMethod"]
"""


def pytest_collection_finish():
    """Look for garbage seldom, and not in what stays to the end: queries are made of many small objects."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def sample(root):
    """The data set of the repository, loaded once for all who only read it."""
    from cslib import load

    return load(root / "data")


@pytest.fixture(scope="session")
def teams(root):
    """The same, of customers of one plan only."""
    from cslib import load

    return load(root / "data", where="plan=Team")


@pytest.fixture(scope="session")
def paused(root):
    """The same, where who pays again within three months had paused."""
    from cslib import load

    return load(root / "data", pause_months=3)


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """Folder of a business like that of the sample, of 150 customers, for what does not depend on their number."""
    from cslib.sample.write import write_sample

    write_sample(folder := tmp_path_factory.mktemp("small"), customers=150)
    return folder


@pytest.fixture(scope="session")
def real_data(tmp_path_factory):
    """Folder with ``cdnow.toml`` and ``telco.toml`` over the real files; skipped where they are not."""
    if not os.environ.get("CSLIB_REAL_DATA"):
        pytest.skip("set CSLIB_REAL_DATA to the folder of the real data sets")
    folder = tmp_path_factory.mktemp("real")
    (folder / "cdnow.toml").write_text(CDNOW)
    (folder / "telco.toml").write_text(TELCO)
    return folder


@dataclass
class Opened:
    """A report in the browser, with everything that must not happen."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Chromium; a missing one is a failure, not a skip."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield started
        started.close()


@pytest.fixture
def open_report(browser: Browser):
    """Open a report from disk with the network off; its second request, if any, is noted and refused."""

    @contextmanager
    def opened(path: Path, *, width: int = 1240, scheme: str = "light") -> Iterator[Opened]:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
        report = Opened(context.new_page())

        def gate(route: Route) -> None:
            report.requests.append(route.request.url)
            route.continue_() if route.request.url == path.resolve().as_uri() else route.abort()

        context.route("**/*", gate)
        report.page.on("console", lambda message: report.complaints.append(message.text))
        report.page.on("pageerror", lambda error: report.complaints.append(str(error)))
        report.page.goto(path.resolve().as_uri())
        try:
            yield report
        finally:
            context.close()

    return opened
