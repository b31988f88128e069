"""Presets: what the exports of billing systems call their columns, from the vendors' public documentation.

A preset is a section of ``cslib.toml`` with everything but the table: ``preset = "recurly"`` in ``[invoices]``. Keys of
the section itself go before those of the preset; of ``columns`` and ``labels``, entry by entry. Where one row of the
export does not tell all, the preset has a ``query`` with ``{lines}`` for the table, which ``lines`` names as the vendor
does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from cslib.errors import DataError, refuse_unknown

PRESETS: Final[dict[str, dict[str, dict[str, Any]]]] = {
    # Table subscription_item_change_events of Stripe Sigma and the Data Pipeline, as documented in "Query Billing data"
    # (docs.stripe.com/stripe-data/query-billing-data). mrr_change is in minor units. An item that is replaced ends, and
    # another of its subscription starts: so each item stands for itself.
    "stripe": {
        "movements": {
            "columns": {
                **{"customer_id": "customer_id", "occurred_on": "local_event_timestamp", "kind": "event_type"},
                **{"change": "mrr_change", "currency": "currency", "subscription_id": "subscription_item_id"},
            },
            "labels": {
                "kind": {
                    **{"ACTIVE_START": "new", "ACTIVE_UPGRADE": "expansion"},
                    **{"ACTIVE_DOWNGRADE": "contraction", "ACTIVE_END": "churn"},
                }
            },
            "minor_units": True,
        },
        # Tables invoice_line_items and invoices of the same; what their columns hold is documented with the objects
        # (docs.stripe.com/api/invoice-line-item/object). amount is before discounts and tax. Drafts and voided invoices
        # are left out. source_type is invoiceitem for prorations and for what is charged once.
        "invoices": {
            "lines": "invoice_line_items",
            "query": """
                SELECT invoices.customer_id, invoices.date AS invoiced_on, lines.period_start AS line_start,
                  lines.period_end AS line_end, lines.amount, lines.currency, lines.subscription AS subscription_id,
                  lines.price_id AS plan,
                  CASE WHEN LOWER(CAST(lines.proration AS VARCHAR)) IN ('true', 't', '1') THEN 'proration'
                    WHEN lines.source_type = 'subscription' THEN 'recurring' ELSE 'one_off' END AS kind
                FROM {lines} AS lines JOIN invoices ON invoices.id = lines.invoice_id
                WHERE invoices.status IN ('open', 'paid', 'uncollectible')""",
            "minor_units": True,
        },
    },
    # Transactions of the API, a row for each of details.line_items, and names of the documentation joined by a point
    # (developer.paddle.com/api-reference/transactions). totals are in the lowest denomination; subtotal is before
    # discount and tax. Since March 2024 a prorated change is in lines of its transaction, what is credited below 0
    # (developer.paddle.com/changelog/2024/proration-improvements). A price without billing_cycle is charged once.
    "paddle": {
        "invoices": {
            "lines": "transaction_line_items",
            "query": """
                SELECT customer_id, billed_at AS invoiced_on, "billing_period.starts_at" AS line_start,
                  "billing_period.ends_at" AS line_end, currency_code AS currency, subscription_id,
                  CAST("totals.subtotal" AS DECIMAL(18, 2)) - CAST("totals.discount" AS DECIMAL(18, 2)) AS amount,
                  "product.name" AS plan,
                  CASE WHEN "price.billing_cycle.interval" IS NULL OR "price.billing_cycle.interval" = ''
                      OR origin = 'subscription_charge' THEN 'one_off'
                    WHEN origin = 'subscription_update' THEN 'proration' ELSE 'recurring' END AS kind
                FROM {lines} WHERE status IN ('billed', 'paid', 'completed', 'past_due')""",
            "minor_units": True,
        }
    },
    # Table invoice_line_items of Chargebee's data catalog (datacatalog.chargebee.com/invoice_line_items). amount is in
    # minor units and before discounts; the day of the invoice is in another table, so a line is dated by its first.
    "chargebee": {
        "invoices": {
            "columns": {
                **{"customer_id": "customer_id", "invoiced_on": "date_from", "amount": "amount", "kind": "entity_type"},
                **{"line_start": "date_from", "line_end": "date_to", "subscription_id": "subscription_id"},
            },
            "labels": {
                "kind": {
                    **dict.fromkeys(("plan", "addon", "plan_item_price", "addon_item_price"), "recurring"),
                    **dict.fromkeys(("adhoc", "plan_setup", "charge_item_price"), "one_off"),
                }
            },
            "minor_units": True,
        }
    },
    # The export "Adjustments" (docs.recurly.com/docs/adjustments-exports). adjustment_subtotal is after discounts and
    # before taxes, in units; credits are below 0 and have the origin of what they credit.
    "recurly": {
        "invoices": {
            "columns": {
                **{
                    "customer_id": "account_code",
                    "invoiced_on": "invoice_billed_date",
                    "amount": "adjustment_subtotal",
                },
                **{"kind": "adjustment_origin", "line_start": "adjustment_start_at", "line_end": "adjustment_end_at"},
                **{
                    "currency": "adjustment_currency",
                    "subscription_id": "subscription_id",
                    "plan": "adjustment_plan_code",
                },
            },
            "labels": {
                "kind": {
                    **dict.fromkeys(("plan", "plan_trial", "add_on", "add_on_trial"), "recurring"),
                    **dict.fromkeys(("setup_fee", "one_time", "debit"), "one_off"),
                    **dict.fromkeys(("usage_add_on", "usage_add_on_trial"), "one_off"),
                    **{"coupon": "discount", "credit": "credit"},
                    **dict.fromkeys(("carryforward", "gift_card", "external_gift_card"), "refund"),
                }
            },
        }
    },
}


def with_preset(name: str, raw: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Fill the section of a table with what its preset says.

    Parameters
    ----------
    name
        Of the table.
    raw
        The section as it is written.
    where
        How to name it in a message.

    Raises
    ------
    DataError
        The preset is unknown, or says nothing of this table.

    Examples
    --------
    >>> section = {"preset": "chargebee", "columns": {"invoiced_on": "date"}}
    >>> filled = with_preset("invoices", section, "[invoices]")
    >>> filled["minor_units"], filled["columns"]["invoiced_on"], filled["columns"]["line_end"]
    (True, 'date', 'date_to')
    """
    if "preset" not in raw:
        return raw
    wanted = raw["preset"]
    refuse_unknown(wanted, PRESETS, f"{where}: preset is {wanted!r}.", error=DataError)
    known = PRESETS[wanted]
    fits = " and ".join(f"[{n}]" for n in known)
    msg = f"{where}: the preset {wanted!r} is for {fits}. Move it there, or leave it out."
    DataError.when(name not in known, msg)
    own = dict(known[name])
    lines = own.pop("lines", "")
    if lines and "query" not in raw:
        own["query"] = " ".join(own["query"].split()).format(lines=_quoted(raw.get("table", lines)))
        raw = {k: v for k, v in raw.items() if k != "table"}
    return _merged(own, raw)


def _quoted(table: str) -> str:
    """Write the name of a table for a query: of a file without its ending, of a schema as it is."""
    file = re.sub(r"\.(csv|tsv|parquet)(\.gz)?$", "", table)
    return table if re.fullmatch(r"[A-Za-z_][\w.]*", table) and file == table else '"' + file.replace('"', '""') + '"'


def _merged(preset: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Let what is written go before a preset, table by table."""
    both = {**preset, **own}
    shared = [k for k in preset if k in own and isinstance(preset[k], dict) and isinstance(own[k], dict)]
    return both | {k: _merged(preset[k], own[k]) for k in shared}
