"""Presets: what the exports of billing systems call their columns, from the vendors' public documentation.

A preset is a section of ``cslib.toml`` with everything but the table: ``preset = "recurly"`` in ``[invoices]``. Keys of
the section itself go before those of the preset; of ``columns`` and ``labels``, entry by entry.
"""

from __future__ import annotations

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
    return _merged(known[name], raw)


def _merged(preset: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Let what is written go before a preset, table by table."""
    both = {**preset, **own}
    shared = [k for k in preset if k in own and isinstance(preset[k], dict) and isinstance(own[k], dict)]
    return both | {k: _merged(preset[k], own[k]) for k in shared}
