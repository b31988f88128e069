from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from age_world import ages
from lifelines import CoxPHFitter, KaplanMeierFitter
from rows_world import lives_of

from cslib import load
from cslib.data.calendar import Window
from cslib.data.customers import segment_of
from cslib.sample.world import TRUTH, _chunk, _people, _rng
from cslib.surveys.answers import answers, measure
from cslib.surveys.change import non_response
from cslib.surveys.scores import judged
from cslib.surveys.stakes import (
    Landmark,
    _split,
    after_answers,
    alike_by,
    known_stakes,
    money_at_stake,
    priced,
    stakes_by_segment,
    unhappy,
    who_left,
)

NPS = measure("nps")
WINDOW = Window(date(2024, 7, 1), date(2025, 6, 30), "12 months")
DAY = date(2024, 6, 29)  # 12 months before as_of


def people(*rows):
    return pd.DataFrame(rows, columns=["customer_id", "started_on", "churned_on", "mrr"])


def asked(*rows):
    return pd.DataFrame(rows, columns=["customer_id", "asked_on", "score", "answered_on"]).assign(survey="nps")


def known(customers, surveys, **more):
    return load({"customers": customers, "surveys": surveys}, as_of="2025-06-29", **more)


CUSTOMERS = people(
    ("glad", "2024-01-01", None, 10), ("sad", "2024-01-01", "2024-08-01", 10), ("late", "2024-01-01", None, 10),
    ("silent", "2024-01-01", "2025-01-01", 10), ("unasked", "2024-01-01", None, 10), ("gone", "2023-01-01", "2024-06-29", 10),
    ("new", "2024-06-30", None, 10), ("first", "2024-06-29", None, 10),
)  # fmt: skip
SURVEYS = asked(
    ("glad", "2024-03-01", 10, "2024-03-02"), ("sad", "2024-03-01", 2, "2024-03-02"), ("late", "2024-06-20", 10, "2024-06-30"),
    ("silent", "2024-03-01", None, None), ("gone", "2024-03-01", 2, "2024-03-02"), ("first", "2024-06-29", 8, "2024-06-29"),
    ("new", "2024-06-30", 9, "2024-06-30"),
)  # fmt: skip


def test_only_what_was_known_on_the_day_counts():
    found = after_answers(known(CUSTOMERS, SURVEYS), NPS, WINDOW)
    assert (found.day, found.remark) == (DAY, "")
    rows = found.lives.set_index("group")
    assert rows.loc["detractors", ["age", "end", "event_observed", "n"]].tolist() == [5 + 28 / 30, 7, True, 1]
    assert rows.loc["no answer", "n"].sum() == 2  # silent, and late: its answer came the day after
    assert set(found.lives["group"]) == {"promoters", "passives", "detractors", "no answer"}
    assert int(found.lives["n"].sum()) == 5  # not unasked, gone, new


def test_unhappy_customers_of_today_the_dearest_first():
    """sad has left since; late was glad first and gave 3 on the last day, again 5 on that day: the worse counts."""
    again = asked(
        ("glad", "2025-03-01", 3, "2025-03-02"), ("late", "2025-03-01", 9, "2025-03-02"),
        ("late", "2025-04-01", 5, "2025-04-03"), ("late", "2025-04-02", 3, "2025-04-03"), ("late", "2025-05-02", None, None),
        ("first", "2025-03-01", 7, "2025-03-02"), ("sad", "2025-03-01", 0, "2025-03-02"),
    )  # fmt: skip
    customers = CUSTOMERS.assign(plan="A", mrr=CUSTOMERS["mrr"].where(CUSTOMERS["customer_id"] != "late", 99.0))
    table = unhappy(known(customers, pd.concat([SURVEYS, again])), NPS, WINDOW, column="plan")
    told = table[["customer_id", "plan", "mrr", "score"]].to_numpy().tolist()
    assert told == [["late", "A", 99.0, 3], ["glad", "A", 10.0, 3]]
    assert pd.to_datetime(table["answered_on"]).dt.strftime("%m-%d").tolist() == ["04-03", "03-02"]
    alone = unhappy(load({"surveys": again}, as_of="2025-06-29"), NPS, WINDOW)
    assert sorted(alone["customer_id"]) == ["glad", "late", "sad"]
    assert alone["mrr"].isna().all()


def test_what_was_said_before_leaving_and_coming_back_is_no_reason_to_call():
    stays = [("a", "2024-01-01", "2025-02-10"), ("a", "2025-04-05", None), ("b", "2024-01-01", None)]
    rows = pd.DataFrame(stays, columns=["customer_id", "started_on", "ended_on"]).assign(mrr=10.0)
    answers = asked(("a", "2025-01-05", 2, "2025-01-06"), ("b", "2025-01-05", 3, "2025-01-06"))
    data = load({"subscriptions": rows, "surveys": answers}, as_of="2025-06-29")
    assert unhappy(data, NPS, WINDOW)["customer_id"].tolist() == ["b"]
    again = pd.concat([answers, asked(("a", "2025-05-05", 4, "2025-05-06"))])
    data = load({"subscriptions": rows, "surveys": again}, as_of="2025-06-29")
    assert sorted(unhappy(data, NPS, WINDOW)["customer_id"]) == ["a", "b"]


def test_with_pauses_who_stopped_paying_is_not_called():
    """b may only pause, so that it is not known to have left; but it is no customer of today."""
    rows = pd.DataFrame({"customer_id": ["a", "b"], "started_on": "2024-01-01", "ended_on": [None, "2025-06-01"]})
    answers = asked(("a", "2025-05-05", 2, "2025-05-06"), ("b", "2025-05-05", 3, "2025-05-06"))
    tables = {"subscriptions": rows.assign(mrr=10.0), "surveys": answers}
    for pause in (0, 2):
        data = load(tables, as_of="2025-06-30", pause_months=pause)
        assert unhappy(data, NPS, WINDOW)["customer_id"].tolist() == ["a"]


def test_who_has_left_by_tenure_is_not_called():
    left = pd.DataFrame({"customer_id": ["a", "b"], "tenure_months": [5, 5], "churned": [True, False]})
    asked = {"customer_id": ["a", "b"], "asked_on": "2025-05-01", "survey": "nps", "score": [2, 3]}
    data = load({"customers": left, "surveys": pd.DataFrame(asked)}, as_of="2025-06-29")
    assert unhappy(data, NPS, WINDOW)["customer_id"].tolist() == ["b"]


def test_unhappy_customers_are_in_order_of_what_may_be_lost():
    """A at 99 a month who leaves with a tenth comes after B at 20 with six tenths; of D the risk is not known."""
    rows = [("a", 99), ("b", 20), ("c", 50), ("d", 11)]
    customers = pd.DataFrame(rows, columns=["customer_id", "mrr"]).assign(started_on="2024-01-01", churned_on=None)
    answers = asked(*((name, "2025-03-01", 3, "2025-03-02") for name in "abcd"))
    data = known(customers, answers)
    table = unhappy(data, NPS, WINDOW, risks=pd.Series({"b": 0.6, "a": 0.1, "c": 0.3}), gross_margin=0.5)
    assert table["customer_id"].tolist() == ["c", "b", "a", "d"]
    assert list(table) == ["customer_id", "money_at_risk", "mrr", "p_churn", "score", "answered_on"]
    assert table["money_at_risk"].tolist() == pytest.approx([7.5, 6, 4.95, np.nan], nan_ok=True)
    alike = unhappy(data, NPS, WINDOW)
    assert alike["customer_id"].tolist() == ["a", "c", "b", "d"]
    assert alike[["money_at_risk", "p_churn"]].isna().all(axis=None)


def test_an_answer_without_its_day_is_known_from_the_invitation_on():
    found = after_answers(known(CUSTOMERS, SURVEYS.drop(columns="answered_on")), NPS, WINDOW)
    assert found.lives.groupby("group")["n"].sum()["promoters"] == 2


def test_present_customers_are_grouped_by_the_present_window():
    again = asked(("glad", "2025-03-01", 3, "2025-03-02"), ("late", "2025-03-01", None, None))
    found = after_answers(known(CUSTOMERS, pd.concat([SURVEYS, again])), NPS, WINDOW)
    assert found.present.set_index("group")["n_today"].to_dict() == {"detractors": 1, "no answer": 1}


@pytest.mark.long
def test_those_who_cannot_be_followed():
    tenures = pd.DataFrame({"customer_id": ["a"], "tenure_months": [3], "churned": [False]})
    assert "no start dates" in after_answers(known(tenures, SURVEYS), NPS, WINDOW).remark
    assert "no start dates" in after_answers(load({"surveys": SURVEYS}, as_of="2025-06-30"), NPS, WINDOW).remark
    few = after_answers(known(CUSTOMERS, SURVEYS.iloc[-1:]), NPS, WINDOW)
    assert few.remark == "Too few customers had answered by 29 June 2024 to follow them for 12 months."
    assert money_at_stake(few).empty
    none = after_answers(known(CUSTOMERS, SURVEYS.assign(score=SURVEYS["score"].clip(upper=8))), NPS, WINDOW)
    assert none.remark.startswith("No customer of 29 June 2024 was among the promoters, with whom others would be")


def test_records_must_reach_back_to_the_day(tmp_path):
    CUSTOMERS.to_csv(tmp_path / "customers.csv", index=False)
    SURVEYS.to_csv(tmp_path / "surveys.csv", index=False)
    (tmp_path / "cslib.toml").write_text("as_of = 2025-06-30\nobserved_from = 2024-08-01\n")
    assert "recorded from 2024-08-01 on" in after_answers(load(tmp_path), NPS, WINDOW).remark


@pytest.fixture(scope="module")
def landmark(sample):
    return after_answers(sample, NPS, WINDOW)


@pytest.fixture(scope="module")
def rows(root):
    """Customers of the landmark day with their group, by pandas."""
    days = {"parse_dates": ["started_on", "ended_on"], "dtype": {"customer_id": str}}
    customers = lives_of(pd.read_csv(root / "data/subscriptions.csv", **days))
    surveys = pd.read_csv(
        root / "data/surveys.csv", parse_dates=["asked_on", "answered_on"], dtype={"customer_id": str}
    )
    day = pd.Timestamp("2024-06-30")  # 12 months before the sample's last
    nps = surveys[(surveys.survey == "nps") & surveys.asked_on.between(day - pd.DateOffset(years=1), day)]
    nps = nps[nps.asked_on > day - pd.DateOffset(years=1)].assign(known=lambda s: s.answered_on <= day)
    here = customers[(customers.started_on <= day) & ~(customers.churned_on <= day)].set_index("customer_id")
    told = nps.answered_on.fillna(nps.asked_on)
    nps = nps[told >= nps.customer_id.map(here.started_on)]  # in the stay of that day
    last = nps.sort_values(["known", "answered_on", "asked_on"]).groupby("customer_id").tail(1).set_index("customer_id")
    here = here.join(last[["known", "score"]], how="inner")
    cut = pd.cut(here.score.where(here.known), [-1, 6, 8, 10], labels=["detractors", "passives", "promoters"])
    here["group"] = cut.astype(object).fillna("no answer")
    here["left"] = here.churned_on.notna()
    last = here.churned_on.fillna(pd.Timestamp("2025-06-30"))
    here["since"], here["end"] = ages([day] * len(here), last), ages(here.started_on, last)
    here["age"] = ages(here.started_on, [day] * len(here))
    return here


@pytest.mark.long
def test_survival_after_an_answer_equals_lifelines_on_rows(landmark, rows):
    table = money_at_stake(landmark).set_index("group")
    for group, own in rows.groupby("group"):
        curve = KaplanMeierFitter().fit(own.since, own.left)
        assert (table.loc[group, "n"], table.loc[group, "n_churned"]) == (len(own), own.left.sum())
        assert table.loc[group, "survival_12m"] == pytest.approx(float(curve.predict(12)), abs=1e-12)
        steps = curve.survival_function_.iloc[:, 0]
        times = np.append(steps.index[steps.index < 12], 12)
        area = (steps.loc[times[:-1]].to_numpy() * np.diff(times)).sum()
        assert table.loc[group, "rmst_months"] == pytest.approx(area, rel=1e-9)


@pytest.mark.long
def test_hazard_ratios_equal_cox_on_rows_at_the_same_age(landmark, rows):
    table = money_at_stake(landmark).set_index("group")
    for group in ("passives", "detractors", "no answer"):
        two = rows[rows.group.isin(["promoters", group])]
        design = pd.DataFrame({group: (two.group == group) * 1.0})
        design = design.assign(entry=two.age, end=two.end, left=two.left)
        fit = CoxPHFitter().fit(design, "end", "left", entry_col="entry")
        expected = np.exp(fit.params_[group]), *np.exp(fit.confidence_intervals_.loc[group])
        found = table.loc[group, ["hazard_ratio", "hazard_ratio_ci_lower", "hazard_ratio_ci_upper"]].astype(float)
        assert found.tolist() == pytest.approx(expected, rel=1e-4)


def test_the_planted_hazard_ratios_lie_in_their_intervals(landmark):
    table = money_at_stake(landmark).set_index("group")
    for group, attitude in (("passives", "passive"), ("detractors", "detractor")):
        row = table.loc[group]
        assert row.hazard_ratio_ci_lower <= TRUTH.attitude_hazard_ratio[attitude] <= row.hazard_ratio_ci_upper
    assert table.loc["detractors", "p_adjusted"] < 0.001
    assert table.loc["detractors", "rmst_difference_ci_upper"] < 0


def test_money_by_hand(landmark, sample):
    table = money_at_stake(landmark, gross_margin=0.5).set_index("group")
    row = table.loc["detractors"]
    assert row.money_at_stake == pytest.approx(-0.5 * row.mrr * row.rmst_difference_months)
    assert row.money_ci_lower == pytest.approx(-0.5 * row.mrr * row.rmst_difference_ci_upper)
    others = table.loc[["passives", "detractors", "no answer"]]
    total = table.loc["all others"]
    assert total.money_at_stake == pytest.approx(others.money_at_stake.sum())
    assert total.money_ci_lower == pytest.approx(others.money_ci_lower.sum())
    assert total.money_ci_lower < total.money_at_stake < total.money_ci_upper
    assert (total.n_today, total.mrr) == (others.n_today.sum(), others.mrr.sum())


def test_without_a_price_there_is_no_money():
    found = after_answers(known(CUSTOMERS.drop(columns="mrr"), SURVEYS), NPS, WINDOW)
    assert money_at_stake(found)["money_at_stake"].isna().all()


def test_non_response_bias_of_the_sample_shows_and_shrinks(sample):
    """Promoters answer most often. What all who were asked would have answered is known: the drawn attitudes."""
    people = _people(_rng(7, 0, 0), 0, 4000)
    attitude = pd.Series(people["attitude"], index=people["id"])
    surveys = sample.table("surveys").execute()
    inside = surveys[(surveys.survey == "nps") & (pd.to_datetime(surveys.asked_on) >= "2024-07-01")]
    those = attitude.loc[inside.customer_id.unique()]
    truth = 100 * ((those == 0).mean() - (those == 2).mean())
    found = answers(sample, NPS, columns=["plan"], standings=[NPS, measure("csat"), measure("ces")])
    table = non_response(found).set_index("weighted_by")["nps"]
    bias, left = table["nothing"] - truth, table["all of these"] - truth
    assert bias > 5
    assert abs(left) < 0.7 * bias


def test_the_sample_is_drawn_as_that_test_takes_it(sample):
    """The same stream gives the ids and plans of the data."""
    customers = sample.table("customers").execute().set_index("customer_id")
    tables = dict(_chunk(_rng(7, 0, 0), 0, 4000))
    again = tables["customers"].set_index("customer_id")
    assert (customers["plan"].sort_index() == again["plan"].sort_index()).all()


HAZARD, PRICE = {"Basic": 0.10, "Pro": 0.01}, {"Basic": 20.0, "Pro": 60.0}
UNHAPPY = {"Basic": 0.6, "Pro": 0.15}


def landmark_of(rows):
    """Customers with ``group``, ``by_0``, ``age``, ``since`` (months) and ``mrr``, who are also those of today."""
    rows = rows.assign(end=rows.age + rows.since, event_observed=rows.since < 12)
    keys = ["group", "age", "end", "since", "event_observed", "by_0"]
    lives = rows.groupby(keys).size().rename("n").reset_index()
    present = rows.groupby(["group", "by_0"]).agg(n_today=("mrr", "size"), mrr=("mrr", "sum")).reset_index()
    return Landmark(NPS, 12, lives=lives, present=present, columns=("plan",))


def world(rng, n, effect):
    """Plan decides who is unhappy and who leaves; among those of one plan the unhappy leave ``effect`` times as fast."""
    plan = pd.Series(rng.choice(["Basic", "Pro"], n))
    unhappy = rng.random(n) < plan.map(UNHAPPY)
    stay = np.ceil(rng.exponential(1 / (plan.map(HAZARD) * np.where(unhappy, effect, 1))) * 4) / 4
    group = np.where(unhappy, "detractors", "promoters")
    rows = {"group": group, "by_0": plan, "age": rng.integers(1, 24, n) * 1.0, "since": np.minimum(stay, 12)}
    return landmark_of(pd.DataFrame(rows | {"mrr": plan.map(PRICE)}))


def truth(found, effect):
    quarters = np.arange(48) / 4  # customers leave at the ends of quarters of a month
    mean = {h: np.exp(-h * quarters).sum() / 4 for base in HAZARD.values() for h in (base, base * effect)}
    paid = found.present[found.present["group"] == "detractors"].set_index("by_0")["mrr"]
    return sum(mrr * (mean[HAZARD[plan]] - mean[HAZARD[plan] * effect]) for plan, mrr in paid.items())


def test_alike_customers_are_compared_by_hand():
    """Basics leave after 6 months, but for one happy one of 11; of Pros half of the unhappy do, and no happy one.

    Unhappy Pros (10 at 30 a month) so stay 3 months less than happy ones, unhappy Basics (40 at 10) 6 / 11 of a month.
    """
    rows = [("promoters", "Basic", 6, 10), ("detractors", "Basic", 6, 40), ("promoters", "Pro", 12, 10)]
    rows += [("detractors", "Pro", 12, 5), ("detractors", "Pro", 6, 5), ("promoters", "Basic", 12, 1)]
    each = pd.DataFrame([row[:3] for row in rows for _ in range(row[3])], columns=["group", "by_0", "since"])
    each = each.assign(age=1.0, since=each["since"].astype(float), mrr=each["by_0"].map({"Basic": 10.0, "Pro": 30.0}))
    row = money_at_stake(landmark_of(each)).set_index("group").loc["detractors"]
    basic = (10 * 6 + 12) / 11 - 6
    assert row.money_at_stake == pytest.approx(300 * 3 + 400 * basic)
    assert row.rmst_difference_months == pytest.approx(-(10 * 3 + 40 * basic) / 50)
    assert row.raw_money_at_stake > 700 * 2.5


def test_who_meets_nobody_alike_is_taken_to_differ_as_the_others_do():
    """Without one happy Pro, the months of Basics are taken for all."""
    rng = np.random.default_rng(2)
    both = world(rng, 300, 2.0)
    found = replace(both, lives=both.lives[(both.lives["by_0"] == "Basic") | (both.lives["group"] == "detractors")])
    row = money_at_stake(found).set_index("group").loc["detractors"]
    assert row.money_at_stake == pytest.approx(-row.mrr * row.rmst_difference_months)
    assert found.strata("detractors").to_dict() == {("Basic",): " · Basic", ("Pro",): ""}


def test_columns_are_split_as_long_as_everybody_meets_five():
    cells = pd.MultiIndex.from_tuples(
        [("Pro", "EU"), ("Pro", "US"), ("Team", "EU"), ("Team", "US")], names=["by_0", "by_1"]
    )
    known = pd.DataFrame({"best": [9, 9, 9, 4], "other": [9, 9, 9, 9]}, index=cells)
    assert _split(known, ["by_0", "by_1"]).tolist() == [" · Pro · EU", " · Pro · US", " · Team", " · Team"]
    few = _split(known.assign(best=[9, 9, 2, 1]), ["by_0", "by_1"])
    assert few.tolist() == [" · Pro · EU", " · Pro · US", "", ""]
    together = _split(known.assign(best=[4, 0, 3, 1]), ["by_0"])
    assert together.tolist() == [""] * 4


@pytest.mark.long
@pytest.mark.parametrize(("n", "least"), [(30, 0.8), (300, 0.9), (3000, 0.88)])
@pytest.mark.parametrize("effect", [1.0, 2.0])
def test_what_plan_does_is_not_put_down_to_the_answer(effect, n, least):
    """The unadjusted stake is far too high. Among 30 too few are alike for more than 80 to 90 % to cover."""
    rng, repetitions, covered, raw = np.random.default_rng(n), 100, 0, []
    for _ in range(repetitions):
        found = world(rng, n, effect)
        row, true = money_at_stake(found).set_index("group").loc["detractors"], truth(found, effect)
        covered += row.money_ci_lower <= true <= row.money_ci_upper
        raw.append(row.raw_money_at_stake - true)
    assert covered / repetitions >= least
    assert np.mean(raw) > 0


def plans(*rows, prices):
    """Customers of plan, group and months stayed, so many of each, all of the same age; they are also those of today."""
    each = pd.DataFrame([row[:3] for row in rows for _ in range(row[3])], columns=["by_0", "group", "since"])
    each = each.assign(age=1.0, since=each["since"].astype(float), mrr=each["by_0"].map(prices).astype(float))
    return landmark_of(each)


THREE = [
    *(
        ("Basic", "promoters", 6, 10),
        ("Basic", "promoters", 12, 1),
        ("Basic", "detractors", 6, 39),
        ("Basic", "detractors", 12, 1),
    ),
    *(("Pro", "promoters", 12, 10), ("Pro", "detractors", 12, 5), ("Pro", "detractors", 6, 5)),
    *(("Top", "promoters", 12, 5), ("Top", "promoters", 6, 5), ("Top", "detractors", 12, 5)),
]
PRICES = {"Basic": 10, "Pro": 30, "Top": 20, "Mini": 10}
BASIC = 400 * (6 / 11 - 6 / 40)


def test_the_whole_is_the_sum_of_its_parts_by_hand():
    """What happy customers stay longer, times what unhappy ones of today pay.

    Basic: (10 × 6 + 12) / 11 − (39 × 6 + 12) / 40 = 6/11 − 6/40 months × 40 × 10. Pro: 12 − 9 = 3 months × 10 × 30. Top:
    9 − 12 = −3 months × 5 × 20. The distances to the bounds are squared and added.
    """
    found = plans(*THREE, prices=PRICES)
    parts = stakes_by_segment(found).set_index("segment")
    assert parts["money_at_stake"].to_dict() == pytest.approx({"Basic": BASIC, "Pro": 900.0, "Top": -300.0})
    whole = money_at_stake(found).set_index("group").loc["detractors"]
    assert whole.money_at_stake == pytest.approx(BASIC + 900 - 300)
    for end in ("money_ci_lower", "money_ci_upper"):
        apart = np.hypot.reduce((parts[end] - parts["money_at_stake"]).to_numpy(float))
        assert abs(whole[end] - whole.money_at_stake) == pytest.approx(apart)


def test_who_is_in_no_part_is_in_the_last_row_and_in_the_sum():
    """Of Mini only two are happy: its six unhappy ones (60 a month) are taken to lose what the others do, by MRR."""
    found = plans(*THREE, ("Mini", "promoters", 12, 2), ("Mini", "detractors", 6, 6), prices=PRICES)
    parts, whole = stakes_by_segment(found), money_at_stake(found).set_index("group").loc["detractors"]
    last = parts.iloc[-1]
    assert (last.segment, last.n, last.n_churned, last.n_today, last.mrr) == ("(small groups)", 6, 6, 6, 60)
    assert last.money_at_stake == pytest.approx(60 / 800 * (BASIC + 600))
    assert last.money_ci_lower < last.money_at_stake < last.money_ci_upper
    assert parts["money_at_stake"].sum() == pytest.approx(whole.money_at_stake)
    few = stakes_by_segment(found, least=10)
    assert few["segment"].tolist() == ["Basic", "Pro", "(small groups)"]
    assert few["money_at_stake"].sum() == pytest.approx(whole.money_at_stake)
    assert not priced(few)["priced"].iloc[-1]


def test_what_is_known_is_the_sum_of_the_parts_that_have_a_price():
    """Basic and Pro have one, Top does not; one that costs nothing is not taken off, and has no part in the interval."""
    rows = [("promoters", 0, 0, 0, np.nan), ("detractors", 100, -50, 250, 0.01), ("all others", 100, -50, 250, np.nan)]
    columns = ["group", "money_at_stake", "money_ci_lower", "money_ci_upper", "p_adjusted"]
    stakes = judged(pd.DataFrame(rows, columns=columns).assign(rmst_difference_months=-1.0, n_today=9))
    each = [("Top", -90, -200, 20, 0.5, 7), ("Basic", 50, 20, 90, 0.01, 5), ("Pro", 140, 100, 170, 0.01, 4)]
    parts = pd.DataFrame(each, columns=["segment", *columns[1:], "n_today"]).assign(group="detractors", mrr=1.0)
    (row,) = known_stakes(stakes, priced(parts)).itertuples()
    assert (row.money_at_stake, row.known, row.unknown, row.n_today) == (190, ("Pro", "Basic"), ("Top",), 9)
    assert (row.money_ci_lower, row.money_ci_upper) == pytest.approx((190 - 50, 190 + 50))
    (row,) = known_stakes(stakes.assign(money_ci_lower=10), priced(parts)).itertuples()
    assert (row.money_at_stake, row.money_ci_lower, row.known, row.unknown) == (100, 10, (), ())
    assert known_stakes(stakes, priced(parts.head(1))).empty
    assert known_stakes(stakes.assign(clear=False), priced(parts)).empty


def test_one_part_is_none():
    assert stakes_by_segment(plans(*THREE[:4], prices=PRICES)).empty
    assert stakes_by_segment(Landmark(NPS, 12, remark="Nobody.")).empty


STAY = {"Basic": 0.10, "Pro": 0.05, "Top": 0.02}  # of those who are happy, by the month
FASTER = {"Basic": 2.0, "Pro": 3.0, "Top": 0.5}


def three_plans(rng, n):
    """Unhappy customers leave twice and three times as fast, of Top half as fast."""
    plan = pd.Series(rng.choice(list(STAY), n, p=[0.5, 0.3, 0.2]))
    unhappy = rng.random(n) < plan.map({"Basic": 0.4, "Pro": 0.3, "Top": 0.2})
    stay = np.ceil(rng.exponential(1 / (plan.map(STAY) * np.where(unhappy, plan.map(FASTER), 1))) * 4) / 4
    rows = {"by_0": plan, "group": np.where(unhappy, "detractors", "promoters"), "since": np.minimum(stay, 12)}
    return landmark_of(pd.DataFrame(rows).assign(age=1.0, mrr=plan.map({"Basic": 20.0, "Pro": 60.0, "Top": 200.0})))


def lost(plan):
    """Months of 12 that happy customers of a plan stay longer; who leaves does at the end of a quarter of a month."""
    happy, unhappy = (np.exp(-rate * np.arange(48) / 4).sum() / 4 for rate in (STAY[plan], STAY[plan] * FASTER[plan]))
    return happy - unhappy


@pytest.mark.long
@pytest.mark.parametrize(("n", "least"), [(200, 0.88), (2000, 0.92)])
def test_the_sum_and_its_parts_cover_what_is_at_stake(n, least):
    rng, covered = np.random.default_rng(n), []
    for _ in range(100):
        found = three_plans(rng, n)
        parts = stakes_by_segment(found).set_index("segment")
        whole = money_at_stake(found).set_index("group").loc["detractors"]
        true = {plan: parts.mrr.get(plan, 0.0) * lost(plan) for plan in STAY}
        assert parts["money_at_stake"].sum() == pytest.approx(whole.money_at_stake)
        if set(parts.index) == set(STAY):
            inside = parts["money_ci_lower"].le(pd.Series(true)) & parts["money_ci_upper"].ge(pd.Series(true))
            all_of_it = whole.money_ci_lower <= sum(true.values()) <= whole.money_ci_upper
            covered.append({"All": all_of_it} | inside.to_dict())
    assert len(covered) > 70
    assert (pd.DataFrame(covered).mean() >= least).all()


@pytest.mark.long
def test_stakes_of_a_segment_are_those_of_the_segment_alone(sample, root):
    found = after_answers(sample, NPS, WINDOW, columns=alike_by(sample))
    table = stakes_by_segment(found)
    whole = money_at_stake(found).set_index("group")["money_at_stake"]
    assert table.groupby("group")["money_at_stake"].sum().to_dict() == pytest.approx(whole.iloc[1:-1].to_dict())
    for plan in ("Enterprise", "Team"):
        for own in (segment_of(sample, "plan", plan), load(root / "data", where=f"plan={plan}")):
            alone = money_at_stake(after_answers(own, NPS, WINDOW, columns=alike_by(own))).iloc[1:-1]
            row = table[table["segment"] == plan].drop(columns="segment")
            pd.testing.assert_frame_equal(row.reset_index(drop=True), alone.reset_index(drop=True))
    assert table.groupby("segment").size().to_dict() == {"Enterprise": 3, "Starter": 3, "Team": 3}
    assert stakes_by_segment(after_answers(sample, NPS, WINDOW)).empty


@pytest.mark.long
def test_the_column_summed_over_does_not_depend_on_what_is_asked_for(sample):
    columns = ["plan", "region", "channel", "onboarding"]
    assert alike_by(sample) == alike_by(segment_of(sample, "plan", "Team")) == columns
    assert alike_by(load({"surveys": SURVEYS}, as_of="2025-06-29")) == []


def test_who_left_is_told_as_the_test_has_it():
    """Detractors leave faster and more of them left; the silent leave faster, yet of all fewer left; passives by months."""
    table = pd.DataFrame({"group": ["promoters", "detractors", "no answer", "passives"]})
    table = table.assign(survival_12m=[0.7, 0.5, 0.8, 0.9], hazard_ratio=[1, 2.0, 1.5, np.nan])
    told = who_left(table.assign(rmst_difference_months=[np.nan, -1.0, -0.1, 0.5]))
    assert told["left"].tolist() == pytest.approx([0.3, 0.5, 0.2, 0.1])
    assert told["left_best"].tolist() == pytest.approx([0.3] * 4)
    assert told["faster"].tolist()[1:] == [True, True, False]
    assert told["as_tested"].tolist()[1:] == [True, False, True]
    assert who_left(table.assign(rmst_difference_months=np.nan).head(0)).empty
