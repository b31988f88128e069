"""What the tests of proposals share: files as vendors export them, and the figures of what is read from them."""

import tomllib

from cslib import load
from cslib.propose.write import propose, write


def written(folder, files, encoding="utf-8"):
    """Write files, propose how to read them, and write that, too."""
    for name, text in files.items():
        (folder / name).write_text(text.lstrip("\n"), encoding=encoding)
    proposal = propose(str(folder))
    write(proposal)
    return proposal


def keys(proposal):
    return tomllib.loads(proposal.text)


def sections(proposal):
    return {s.match.table: s for s in proposal.sections}


def loaded(proposal, **options):
    return load(proposal.path, **options)


def mrr(data):
    """MRR of what runs on the last day."""
    t = data.table("subscriptions")
    runs = (t.started_on <= data.as_of) & (t.ended_on.isnull() | (t.ended_on > data.as_of))
    return round(float(t.filter(runs).mrr.sum().execute()), 2)


def left(data):
    """Customers there have been, and those who left."""
    t = data.table("customers")
    return int(t.count().execute()), int(t.churned_on.notnull().sum().execute())


def nps(data, survey="nps"):
    """NPS of all answers, or the mean of another survey."""
    t = data.table("surveys")
    own = t.filter((t.survey == survey) & t.score.notnull()).execute()
    if survey != "nps":
        return round(float(own["score"].mean()), 3)
    return round(100 * float(((own["score"] >= 9).mean()) - (own["score"] <= 6).mean()), 2)


def spent(data):
    """Money of all orders."""
    return round(float(data.table("orders").amount.sum().execute()), 2)
