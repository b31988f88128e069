"""The sample data: the same bytes again, the contract kept, every planted truth found by its own method."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import tomllib
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from scipy.stats import chisquare

from cslib.errors import ParameterError
from cslib.sample import world
from cslib.sample.world import TRUTH
from cslib.sample.write import write_sample

DATA = Path(__file__).parents[2] / "data"
TABLES = ("customers", "subscriptions", "orders", "usage", "surveys", "touchpoints", "costs")
DATES = ("started_on", "churned_on", "ended_on", "ordered_on", "occurred_at", "asked_on", "answered_on")
AS_OF = pd.Timestamp(TRUTH.as_of)
Z = 3.29  # 99.9 % of a normal distribution lies within


def read(folder: Path) -> dict[str, pd.DataFrame]:
    tables = {}
    for name in TABLES:
        path = folder / f"{name}.parquet"
        text = {"dtype": {"customer_id": str}, "keep_default_na": False, "na_values": [""]}
        table = pd.read_parquet(path) if path.exists() else pd.read_csv(folder / f"{name}.csv", **text)
        dates = [c for c in table if c in (*DATES, "occurred_on", "month")]
        tables[name] = table.assign(**{c: pd.to_datetime(table[c]) for c in dates})
    return tables


def aged(events: pd.DataFrame, when: str, customers: pd.DataFrame) -> pd.Series:
    """Whole days from the start of the customer to the event."""
    started = customers.set_index("customer_id")["started_on"]
    return (events[when] - events["customer_id"].map(started)).dt.days


@pytest.fixture(scope="module")
def data() -> dict[str, pd.DataFrame]:
    return read(DATA)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    out = tmp_path_factory.mktemp("large")
    write_sample(out, customers=40_000, seed=11, file_format="parquet")
    return read(out)


# The same bytes again


def test_committed_data_are_what_seed_7_writes(tmp_path: Path) -> None:
    write_sample(tmp_path, customers=4000, seed=7)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (DATA / path.name).read_bytes(), path.name


def test_another_seed_gives_other_customers(tmp_path: Path) -> None:
    write_sample(tmp_path / "a", customers=50, seed=7)
    write_sample(tmp_path / "b", customers=50, seed=8)
    assert (tmp_path / "a/usage.csv").read_bytes() != (tmp_path / "b/usage.csv").read_bytes()


def test_two_runs_into_the_same_folder_give_the_same_bytes(tmp_path: Path) -> None:
    write_sample(tmp_path, customers=300)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write_sample(tmp_path, customers=300)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


@pytest.mark.long
def test_a_full_chunk_is_the_same_whatever_comes_after_it(tmp_path: Path) -> None:
    for customers in (10_000, 10_300):
        write_sample(tmp_path / str(customers), customers=customers, file_format="parquet")
    short, long = read(tmp_path / "10000"), read(tmp_path / "10300")
    for name in TABLES[:-1]:
        pd.testing.assert_frame_equal(short[name], long[name].head(len(short[name])))


def test_parquet_and_csv_hold_the_same_values(tmp_path: Path) -> None:
    for file_format in ("csv", "parquet"):
        write_sample(tmp_path / file_format, customers=500, file_format=file_format)
    csv, parquet = read(tmp_path / "csv"), read(tmp_path / "parquet")
    for name in TABLES:
        left, right = (t[name].astype(object).where(t[name].notna(), None) for t in (csv, parquet))
        pd.testing.assert_frame_equal(left, right, check_dtype=False)


def test_parquet_keeps_days_as_days_and_ids_as_text(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    write_sample(tmp_path, customers=20, file_format="parquet")
    schema = pq.read_schema(tmp_path / "customers.parquet")
    assert [str(schema.field(c).type) for c in ("customer_id", "started_on")] == ["string", "date32[day]"]


def test_lines_end_with_a_plain_newline_and_money_has_two_decimals() -> None:
    text = (DATA / "subscriptions.csv").read_bytes()
    assert b"\r" not in text
    assert all(re.fullmatch(rb"\d+\.\d\d", line.split(b",")[3]) for line in text.splitlines()[1:])


def test_data_stay_small() -> None:
    assert sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file()) <= 6_000_000


# Writing


def test_rows_per_table_are_returned(data: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    assert write_sample(tmp_path) == {name: len(table) for name, table in data.items()}


def test_progress_counts_the_customers_done(tmp_path: Path) -> None:
    done: list[int] = []
    write_sample(tmp_path, customers=10_200, file_format="parquet", progress=done.append)
    assert done == [10_000, 200]


def test_one_customer_is_enough(tmp_path: Path) -> None:
    rows = write_sample(tmp_path / "new" / "folder", customers=1)
    assert (rows["customers"], rows["costs"]) == (1, 72)


def test_files_of_the_other_format_go_away(tmp_path: Path) -> None:
    write_sample(tmp_path, customers=20, file_format="parquet")
    write_sample(tmp_path, customers=20)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        ["README.md", "cslib.toml", *(f"{name}.csv" for name in TABLES)]
    )


def test_files_of_others_stay(tmp_path: Path) -> None:
    write_sample(tmp_path, customers=20)
    (tmp_path / "budget.csv").write_text("mine")
    write_sample(tmp_path, customers=20, file_format="parquet")
    assert (tmp_path / "budget.csv").read_text() == "mine"


def stop(_: int) -> None:
    raise KeyboardInterrupt


def test_an_interrupted_run_leaves_what_was_there(tmp_path: Path) -> None:
    write_sample(tmp_path, customers=20)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(KeyboardInterrupt):
        write_sample(tmp_path, customers=30, file_format="parquet", progress=stop)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"file_format": "xlsx"}, r"file_format is 'xlsx'\. There are: csv, parquet"),
        ({"file_format": "parket"}, "Did you mean 'parquet'"),
        ({"customers": 0}, "customers is 0: it must be 1 or more"),
        ({"customers": -5}, "customers is -5"),
        ({"seed": -1}, "seed is -1: it must be 0 or more"),
    ],
)
def test_bad_parameters_are_named(tmp_path: Path, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        write_sample(tmp_path / "new", **parameters)  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("inside", ["", "deeper"])
def test_a_file_is_no_folder(tmp_path: Path, inside: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ParameterError, match="a file or inside one"):
        write_sample(tmp_path / "file" / inside, customers=5)


@pytest.mark.parametrize("name", ["README.md", "cslib.toml", "orders.parquet"])
def test_data_from_elsewhere_are_not_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(ParameterError, match=name):
        write_sample(tmp_path, customers=5)
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.long
@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_memory_does_not_grow_with_customers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_format: str) -> None:
    """Two chunks and four; all at once, four would take 1.7 times as much as two."""
    monkeypatch.setattr(world, "_CHUNK", 1000)  # as every allocation is watched, which takes its time
    peaks = []
    for customers in (2000, 4000):
        tracemalloc.start()
        write_sample(tmp_path, customers=customers, file_format=file_format)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


# The page and the truth it states


def test_truth_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TRUTH.price_rise = 0.5  # type: ignore[misc]
    with pytest.raises(TypeError):
        TRUTH.plan_share["Starter"] = 1.0  # type: ignore[index]


def test_shares_add_up_to_one() -> None:
    shares = [TRUTH.plan_share, TRUTH.region_share, TRUTH.channel_share]
    for share in (*shares, TRUTH.onboarding_share, TRUTH.attitude_share):
        assert sum(share.values()) == pytest.approx(1)


def test_readme_explains_every_parameter() -> None:
    page = (DATA / "README.md").read_text(encoding="utf-8")
    for item in dataclasses.fields(TRUTH):
        assert re.search(rf"^- `{item.name}` = .+\. [A-Z].{{10,}}\.$", page, re.M), item.name


@pytest.mark.long
def test_readme_keeps_its_text_where_python_drops_docstrings(tmp_path: Path) -> None:
    code = "import sys, pathlib, cslib.sample.write as s; s.write_sample(pathlib.Path(sys.argv[1]), customers=20)"
    subprocess.run([sys.executable, "-OO", "-c", code, str(tmp_path)], check=True)
    stripped, whole = ((at / "README.md").read_text(encoding="utf-8") for at in (tmp_path, DATA))
    assert stripped.partition("## What is planted")[2] == whole.partition("## What is planted")[2]


def test_readme_says_synthetic_and_counts_the_rows(data: dict[str, pd.DataFrame]) -> None:
    page = (DATA / "README.md").read_text(encoding="utf-8")
    assert "Synthetic" in page
    for name, table in data.items():
        assert f"| `{name}` | {len(table):,} |" in page


def test_settings_are_those_of_the_truth() -> None:
    settings = tomllib.loads((DATA / "cslib.toml").read_text(encoding="utf-8"))
    assert settings == {
        "source": ".",
        "as_of": TRUTH.as_of,
        "currency": "USD",
        "gross_margin": 0.8,
        "value_feature": TRUTH.value_feature,
        "customers": {"segments": ["plan", "region", "channel", "onboarding"]},
        "targets": {
            "nrr": 0.95,
            "customer_churn_rate": 0.03,
            "crc_share_of_margin": [0.03, 0.06],
            "nps": 40,
            "active_share": 0.85,
            "time_to_value": 21,
        },
    }


# The contract


def test_ids_are_padded_text_and_unique(data: dict[str, pd.DataFrame]) -> None:
    ids = data["customers"]["customer_id"]
    assert ids.is_unique
    assert ids.str.fullmatch(r"0\d{6}").all()


@pytest.mark.parametrize("name", TABLES[1:-1])
def test_every_row_belongs_to_a_customer(data: dict[str, pd.DataFrame], name: str) -> None:
    assert set(data[name]["customer_id"]) <= set(data["customers"]["customer_id"])


@pytest.mark.parametrize("name", TABLES)
def test_no_row_is_there_twice(data: dict[str, pd.DataFrame], name: str) -> None:
    assert not data[name].duplicated().any()


@pytest.mark.parametrize("name", TABLES[1:-1])
def test_rows_are_ordered_by_customer_and_date(data: dict[str, pd.DataFrame], name: str) -> None:
    by = list(data[name].columns[:2])
    pd.testing.assert_frame_equal(data[name][by], data[name][by].sort_values(by, ignore_index=True))


def test_customers_leave_after_they_start_and_by_the_last_day(data: dict[str, pd.DataFrame]) -> None:
    customers = data["customers"]
    assert customers["started_on"].between(pd.Timestamp(TRUTH.first_day), AS_OF).all()
    left = customers.dropna(subset="churned_on")
    assert (left["churned_on"] > left["started_on"]).all()
    assert (left["churned_on"] <= AS_OF).all()


def test_a_kind_of_churn_is_given_for_churn_only(data: dict[str, pd.DataFrame]) -> None:
    customers = data["customers"]
    assert (customers["churn_kind"].notna() == customers["churned_on"].notna()).all()
    assert set(customers["churn_kind"].dropna()) == {"voluntary", "involuntary"}


def test_about_half_of_the_customers_have_left(data: dict[str, pd.DataFrame]) -> None:
    assert 0.42 < data["customers"]["churned_on"].notna().mean() < 0.55


def test_periods_end_after_they_start_and_do_not_overlap(data: dict[str, pd.DataFrame]) -> None:
    periods = data["subscriptions"]
    ends = periods["ended_on"].fillna(AS_OF + pd.Timedelta(days=1))
    assert (ends > periods["started_on"]).all()
    following = periods.groupby("customer_id")["started_on"].shift(-1)
    assert (ends[following.notna()] <= following.dropna()).all()


def test_churn_derived_from_subscriptions_equals_declared_churn(data: dict[str, pd.DataFrame]) -> None:
    by_customer = data["subscriptions"].groupby("customer_id")
    runs = by_customer["ended_on"].apply(lambda ends: ends.isna().any())
    derived = pd.DataFrame(
        {
            "started_on": by_customer["started_on"].min(),
            "churned_on": by_customer["ended_on"].max().mask(runs),
        }
    )
    declared = data["customers"].set_index("customer_id")[["started_on", "churned_on"]]
    pd.testing.assert_frame_equal(derived, declared, check_dtype=False)


def test_gaps_are_pauses_of_one_to_three_months(data: dict[str, pd.DataFrame]) -> None:
    periods = data["subscriptions"]
    gap = (periods.groupby("customer_id")["started_on"].shift(-1) - periods["ended_on"]).dt.days
    assert set(gap.dropna()) == {0, 30, 60, 90}


def test_first_plan_is_the_plan_of_the_customer(data: dict[str, pd.DataFrame]) -> None:
    first = data["subscriptions"].groupby("customer_id")["plan"].first()
    assert (first == data["customers"].set_index("customer_id")["plan"]).all()


def test_list_price_rises_once_for_everybody(data: dict[str, pd.DataFrame]) -> None:
    periods = data["subscriptions"]
    former = periods.groupby("customer_id")[["mrr", "plan", "ended_on"]].shift()
    same = (former["plan"] == periods["plan"]) & (former["ended_on"] == periods["started_on"])
    raised = periods[same]
    assert (raised["started_on"] == pd.Timestamp(TRUTH.price_change_on)).all()
    assert len(raised) > 500
    np.testing.assert_allclose(raised["mrr"] / former["mrr"][same], 1 + TRUTH.price_rise, atol=0.0005)


@pytest.mark.parametrize(("name", "when"), [("usage", "occurred_at"), ("orders", "ordered_on")])
def test_customers_use_and_buy_only_while_subscribed(data: dict[str, pd.DataFrame], name: str, when: str) -> None:
    events = data[name].reset_index()
    pairs = events.merge(data["subscriptions"], on="customer_id")
    inside = (pairs["started_on"] <= pairs[when]) & ~(pairs["ended_on"] <= pairs[when])
    assert set(pairs[inside]["index"]) == set(events["index"])
    assert events[when].max() <= AS_OF


@pytest.mark.parametrize(
    ("name", "when"), [("touchpoints", "occurred_on"), ("surveys", "asked_on"), ("surveys", "answered_on")]
)
def test_contacts_lie_within_the_life_of_the_customer(data: dict[str, pd.DataFrame], name: str, when: str) -> None:
    events = data[name].dropna(subset=when).merge(data["customers"], on="customer_id")
    assert (events[when] >= events["started_on"]).all()
    assert not (events[when] >= events["churned_on"]).any()
    assert (events[when] <= AS_OF).all()


def test_scores_fill_their_scales(data: dict[str, pd.DataFrame]) -> None:
    scores = data["surveys"].groupby("survey")["score"].agg(["min", "max"])
    assert scores.to_dict("index") == {
        "nps": {"min": 0, "max": 10},
        "csat": {"min": 1, "max": 5},
        "ces": {"min": 1, "max": 10},
    }


def test_score_and_date_of_the_answer_go_together(data: dict[str, pd.DataFrame]) -> None:
    surveys = data["surveys"]
    assert (surveys["score"].notna() == surveys["answered_on"].notna()).all()
    assert not (surveys["answered_on"] < surveys["asked_on"]).any()


def test_orders_are_of_four_kinds_and_cost_something(data: dict[str, pd.DataFrame]) -> None:
    orders = data["orders"]
    assert set(orders["kind"]) == {"new", "renewal", "upsell", "cross_sell"}
    assert (orders["amount"] > 0).all()


def test_each_customer_is_new_once_on_the_first_day(data: dict[str, pd.DataFrame]) -> None:
    new = data["orders"].query("kind == 'new'").set_index("customer_id")["ordered_on"]
    pd.testing.assert_series_equal(new, data["customers"].set_index("customer_id")["started_on"], check_names=False)


def test_an_upsell_is_twelve_times_the_mrr_gained(data: dict[str, pd.DataFrame]) -> None:
    periods = data["subscriptions"]
    periods = periods.assign(gain=12 * periods.groupby("customer_id")["mrr"].diff())
    upsells = data["orders"].query("kind == 'upsell'")
    both = upsells.merge(periods, left_on=["customer_id", "ordered_on"], right_on=["customer_id", "started_on"])
    assert len(both) == len(upsells) > 100
    np.testing.assert_allclose(both["amount"], both["gain"], atol=0.005)


def test_costs_cover_every_month_twice(data: dict[str, pd.DataFrame]) -> None:
    months = pd.date_range(TRUTH.first_day, TRUTH.as_of, freq="MS")
    expected = {(month, kind) for month in months for kind in ("acquisition", "retention")}
    assert set(zip(data["costs"]["month"], data["costs"]["kind"], strict=True)) == expected
    assert len(data["costs"]) == 72


def test_acquisition_costs_are_those_of_new_customers_and_overhead(data: dict[str, pd.DataFrame]) -> None:
    customers = data["customers"]
    month = customers["started_on"].dt.to_period("M").dt.to_timestamp()
    direct = customers.groupby(month)["acquisition_cost"].sum()
    costs = data["costs"].query("kind == 'acquisition'").set_index("month")["amount"]
    np.testing.assert_allclose(costs / direct, 1 + TRUTH.acquisition_overhead, rtol=0.0301)


def test_retention_costs_follow_the_customers_at_the_end_of_the_month(data: dict[str, pd.DataFrame]) -> None:
    customers = data["customers"]
    costs = data["costs"].query("kind == 'retention'").set_index("month")["amount"]
    for month, amount in costs.items():
        last = month + pd.offsets.MonthEnd()
        active = (customers["started_on"] <= last) & ~(customers["churned_on"] <= last)
        assert amount / active.sum() == pytest.approx(TRUTH.retention_cost, rel=0.0501)


# The planted truth, at 40,000 customers


def baseline(days: np.ndarray) -> np.ndarray:
    voluntary = (days / TRUTH.voluntary_scale_days) ** TRUTH.voluntary_shape
    return voluntary + days * TRUTH.involuntary_per_month / 30


def survival(plan: str, attitude: str, days: int) -> float:
    """S(days) of customers from before the product change, over the day of the first webinar."""
    ratio = TRUTH.plan_hazard_ratio[plan] * TRUTH.attitude_hazard_ratio[attitude]
    rates = dict(zip(TRUTH.plan_share, TRUTH.touchpoints_per_month["webinar"], strict=True))
    webinar = np.arange(days + 1)
    not_yet = np.exp(-rates[plan] / 30 * webinar)
    attended = baseline(webinar) + TRUTH.webinar_hazard_ratio * (baseline(np.array(days)) - baseline(webinar))
    alive = np.exp(-ratio * attended)
    return float(np.sum((not_yet[:-1] - not_yet[1:]) * alive[:-1]) + not_yet[-1] * alive[-1])


def lives(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per customer with the terms of a Cox regression, the webinar and the NPS answer as ages."""
    customers = tables["customers"].set_index("customer_id")
    until = customers["churned_on"].fillna(AS_OF)
    change = pd.Timestamp(TRUTH.product_change_on)
    webinars = tables["touchpoints"].query("kind == 'webinar'")
    answers = tables["surveys"].query("survey == 'nps' and score.notna()").drop_duplicates("customer_id")
    answers = answers.assign(day=aged(answers, "answered_on", tables["customers"])).set_index("customer_id")
    webinars = webinars.assign(day=aged(webinars, "occurred_on", tables["customers"]))
    score = answers["score"].reindex(customers.index).astype(float)
    columns = {
        "passive": score.between(7, 8),
        "detractor": score < 7,
        "product": customers["started_on"] >= change,
    }
    columns |= {level: customers["plan"] == level for level in ("Team", "Enterprise")}
    columns |= {level: customers["region"] == level for level in ("EMEA", "APAC")}
    return pd.DataFrame(columns).astype(float).assign(
        days=(until - customers["started_on"]).dt.days,
        left=customers["churned_on"].notna(),
        plan=customers["plan"],
        answered=answers["day"],
        webinar_day=webinars.groupby("customer_id")["day"].min(),
    )  # fmt: skip


def split(people: pd.DataFrame, entry: pd.Series) -> pd.DataFrame:
    """Spells at risk from `entry` on, cut at the first webinar."""
    whole = people.assign(entry=entry, webinar=(people["webinar_day"] <= entry).astype(float))
    during = (whole["webinar_day"] > whole["entry"]) & (whole["webinar_day"] < whole["days"])
    before = whole[during].assign(days=whole["webinar_day"], left=False)
    after = whole[during].assign(entry=whole["webinar_day"], webinar=1.0)
    spells = pd.concat([whole[~during], before, after])
    return spells[spells["days"] > spells["entry"]].drop(columns=["plan", "answered", "webinar_day"])


@pytest.fixture(scope="module")
def people(large: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return lives(large)


@pytest.fixture(scope="module")
def drivers(people: pd.DataFrame) -> pd.DataFrame:
    known = people.dropna(subset="answered")
    spells = split(known, known["answered"])
    return CoxPHFitter().fit(spells, "days", "left", entry_col="entry").summary


RATIOS = {
    "passive": TRUTH.attitude_hazard_ratio["passive"],
    "detractor": TRUTH.attitude_hazard_ratio["detractor"],
    "product": TRUTH.product_hazard_ratio,
    "webinar": TRUTH.webinar_hazard_ratio,
    "Team": TRUTH.plan_hazard_ratio["Team"],
    "Enterprise": TRUTH.plan_hazard_ratio["Enterprise"],
    "EMEA": 1.0,
    "APAC": 1.0,
}


@pytest.mark.long
@pytest.mark.parametrize("term", RATIOS)
def test_cox_from_the_answer_on_finds_every_planted_ratio(drivers: pd.DataFrame, term: str) -> None:
    estimate = drivers.loc[term]
    assert estimate["se(coef)"] < 0.05
    assert abs(estimate["coef"] - np.log(RATIOS[term])) < Z * estimate["se(coef)"]


@pytest.mark.slow
def test_naive_webinar_effect_is_far_too_large(people: pd.DataFrame) -> None:
    ever = people.assign(ever=people["webinar_day"].notna().astype(float))
    naive = CoxPHFitter().fit(ever[["days", "left", "ever", "Team", "Enterprise", "product"]], "days", "left")
    assert naive.hazard_ratios_["ever"] < 0.35


@pytest.mark.long
def test_webinar_effect_in_time_is_near_the_truth_without_knowing_attitudes(people: pd.DataFrame) -> None:
    spells = split(people, people["days"] * 0.0).drop(columns=["passive", "detractor"])
    cox = CoxPHFitter().fit(spells, "days", "left", entry_col="entry")
    assert TRUTH.webinar_hazard_ratio - 0.05 < cox.hazard_ratios_["webinar"] < 0.9


@pytest.mark.slow
@pytest.mark.parametrize("days", [30, 180, 540])
@pytest.mark.parametrize("plan", TRUTH.plan_share)
def test_kaplan_meier_by_plan_follows_the_planted_hazard(people: pd.DataFrame, plan: str, days: int) -> None:
    group = people.query("product == 0 and plan == @plan")
    curve = KaplanMeierFitter(alpha=0.001).fit(group["days"], group["left"])
    expected = sum(share * survival(plan, name, days) for name, share in TRUTH.attitude_share.items())
    lower, upper = curve.confidence_interval_survival_function_.loc[:days].iloc[-1]
    assert lower < expected < upper
    assert upper - lower < 0.08


@pytest.mark.slow
def test_causes_compete_in_the_planted_proportion_at_every_age(large: dict[str, pd.DataFrame]) -> None:
    left = large["customers"].dropna(subset="churned_on")
    days = (left["churned_on"] - left["started_on"]).dt.days.to_numpy()
    involuntary = TRUTH.involuntary_per_month / 30 / (baseline(days) - baseline(days - 1))
    for low, high in pairwise([0, 30, 120, 365, 1096]):
        among = (days > low) & (days <= high)
        found = (left["churn_kind"] == "involuntary")[among].sum()
        spread = np.sqrt(np.sum(involuntary[among] * (1 - involuntary[among])))
        assert abs(found - involuntary[among].sum()) < Z * spread


@pytest.mark.slow
def test_customers_won_grow_and_swing_as_planted(large: dict[str, pd.DataFrame]) -> None:
    found = large["customers"]["started_on"].dt.to_period("M").value_counts().sort_index()
    months = np.arange(36)
    season = 1 + TRUTH.seasonality * np.cos(2 * np.pi * (found.index.month - 1) / 12)
    weight = (1 + TRUTH.monthly_growth) ** months * season.to_numpy()
    assert chisquare(found, weight / weight.sum() * found.sum()).pvalue > 0.001


@pytest.mark.slow
@pytest.mark.parametrize("trait", ["plan", "region", "channel", "onboarding"])
def test_segments_have_the_planted_shares(large: dict[str, pd.DataFrame], trait: str) -> None:
    found = large["customers"][trait].value_counts(normalize=True)
    for level, share in getattr(TRUTH, f"{trait}_share").items():
        assert found[level] == pytest.approx(share, abs=0.01)


def used_by(large: dict[str, pd.DataFrame], people: pd.DataFrame, feature: str) -> KaplanMeierFitter:
    uses = large["usage"].query("feature == @feature")
    first = uses.assign(day=aged(uses, "occurred_at", large["customers"])).groupby("customer_id")["day"].min()
    first = first.reindex(people.index) + 1  # a use on day 0 happens within the first day
    return KaplanMeierFitter().fit(first.fillna(people["days"]), first.notna())


@pytest.mark.slow
@pytest.mark.parametrize("feature", TRUTH.feature_median_days)
def test_adoption_reaches_the_planted_share(large: dict[str, pd.DataFrame], people: pd.DataFrame, feature: str) -> None:
    for days in (30, 180):
        reached = 1 - 0.5 ** (days / TRUTH.feature_median_days[feature])
        found = 1 - used_by(large, people, feature).predict(days)
        assert found == pytest.approx(TRUTH.feature_share[feature] * reached, abs=0.012)


@pytest.mark.slow
@pytest.mark.parametrize("onboarding", TRUTH.median_days_to_value)
def test_half_reach_value_in_the_planted_time(
    large: dict[str, pd.DataFrame], people: pd.DataFrame, onboarding: str
) -> None:
    of = large["customers"].query("onboarding == @onboarding")["customer_id"]
    curve = used_by(large, people.loc[of], TRUTH.value_feature)
    assert curve.predict(TRUTH.median_days_to_value[onboarding]) == pytest.approx(0.5, abs=0.01)


@pytest.mark.slow
def test_unhappy_customers_answer_less_often(large: dict[str, pd.DataFrame], people: pd.DataFrame) -> None:
    first = large["surveys"].query("survey == 'nps'").drop_duplicates("customer_id").set_index("customer_id")
    starters = first.loc[first.index.intersection(people.query("plan == 'Starter' and product == 0").index)]
    alive = {a: share * survival("Starter", a, 48) for a, share in TRUTH.attitude_share.items()}
    expected = sum(alive[a] * rate for a, rate in TRUTH.response_rate.items()) / sum(alive.values())
    assert starters["score"].notna().mean() == pytest.approx(expected, abs=0.02)
    assert starters["score"].dropna().ge(9).mean() > alive["promoter"] / sum(alive.values()) + 0.03


@pytest.mark.slow
def test_use_thins_out_before_voluntary_churn(large: dict[str, pd.DataFrame]) -> None:
    uses = large["usage"].query("feature == 'dashboard'").merge(large["customers"], on="customer_id")
    old = uses["churned_on"] - uses["started_on"] > pd.Timedelta(days=180)
    ahead = (uses["churned_on"] - uses["occurred_at"]).dt.days[old & (uses["churn_kind"] == "voluntary")]
    late, early = ahead.between(1, 45).sum(), ahead.between(46, 90).sum()
    assert late / early == pytest.approx(1 - TRUTH.fade_share, abs=0.05)
