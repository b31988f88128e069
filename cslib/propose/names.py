"""What columns and files are called, in several languages and by the vendors of exports.

Names are compared without case, accents, signs and the words in ``BESIDE``: ``Canceled At (UTC)`` is ``canceled at``.
Of each role the best name comes first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Final

BESIDE: Final = ("utc", "gmt")
SHARP: Final = str.maketrans({"ß": "ss", "ø": "o", "Ø": "o", "æ": "ae", "å": "a", "ł": "l", "đ": "d"})


@cache
def plain(name: str) -> str:
    """Bring a name into the form in which names are compared.

    Examples
    --------
    >>> plain("Canceled At (UTC)"), plain("customerID"), plain("Kündigungs-Datum"), plain("subscription.customer_id")
    ('canceled at', 'customer id', 'kundigungs datum', 'subscription customer id')
    """
    split = re.sub(r"(?<=[a-z\d])(?=[A-Z])", " ", name.translate(SHARP))
    bare = "".join(c for c in unicodedata.normalize("NFKD", split) if not unicodedata.combining(c))
    words = re.sub(r"[^a-z0-9#]+", " ", bare.lower()).split()
    return " ".join(w for w in words if w not in BESIDE)


def _names(text: str) -> tuple[str, ...]:
    return tuple(" ".join(n.split()) for n in text.split(","))


CUSTOMER: Final = _names(
    "customer id, customer, account id, account code, customer uuid, customer external id, subscription customer "
    "id, subscriptions customer id, customers id, customer number, customer no, customer code, customer key, "
    "customer oid, client id, user id, member id, subscriber id, account number, account, company id, contact id, "
    "distinct id, person id, person, user pseudo id, user, external data reference, external reference, client, "
    "kunden id, kundennummer, kunden nr, kundennr, kunde, kundenkennung, mandant, vertragskonto, debitor, id "
    "client, numero client, numero de client, no client, code client, ref client, identifiant client, id cliente, "
    "cliente id, cliente, codigo cliente, codigo de cliente, codigo do cliente, numero de cliente, numero "
    "cliente, id do cliente, id de cliente, cod cliente, codice cliente, klantnummer, klant id, klant, klantnr, "
    "kundnummer, kund id, kund, kundenummer, kunde id, kundenr, asiakas, asiakasnumero, id klienta, klient, numer "
    "klienta, contact, email, email address, customer email, e mail, recipient email, mail, courriel, correo "
    "electronico, customer name, client name, account name, company, associated company, company name, "
    "organization, organisation, firma, firmenname, kundenname, nom du client, societe, empresa, azienda, nombre "
    "del cliente"
)
RESPONSE: Final = _names(
    "response id, respondent id, responses id, respondent, record id, response, network id, token, id, #"
)
STARTED: Final = _names(
    "started on, started at, start date, start, from, activated at, subscription started at, subscription start date, "
    "subscriptions started at, subscription activated at, subscriptions activated at, became a customer date, "
    "customer since, subscriber since, signup date, sign up date, signup, signed up, joined, join date, joined "
    "on, date joined, member since, registration date, registered on, registered, contract start, contract start "
    "date, valid from, begin, begin date, start on, activation date, current period start, period start, created "
    "at, created, created on, create date, creation date, date created, first order date, startdatum, beginn, "
    "vertragsbeginn, kunde seit, eintritt, eintrittsdatum, anmeldedatum, registrierungsdatum, von, date de debut, "
    "date debut, debut, date d inscription, inscription, date de creation, client depuis, fecha de inicio, fecha "
    "inicio, inicio, fecha de alta, fecha alta, alta, cliente desde, data de inicio, data inicio, data de "
    "cadastro, data de adesao, data inizio, inizio, data di inizio, data iscrizione, cliente dal, begindatum, "
    "ingangsdatum, klant sinds, startdato, oppstart, kunde siden, kund sedan, aloituspaiva"
)
CHURNED: Final = _names(
    "churned on, churned at, churn date, churned, cancelled on, canceled on, cancelled at, canceled at, "
    "cancelled, canceled, cancellation date, cancel date, date cancelled, date canceled, left on, leave date, "
    "ended at, ended on, ended, end date, end, contract end, contract end date, terminated on, termination date, "
    "closed at, close date lost, deactivated at, deactivated on, deleted at, closed on, unsubscribed at, expired "
    "at, valid to, valid until, kundigungsdatum, gekundigt am, kundigung, vertragsende, enddatum, ende, austritt, "
    "austrittsdatum, abgang, bis, date de resiliation, resiliation, date de fin, date fin, fin, date d "
    "annulation, fecha de baja, fecha baja, baja, fecha de cancelacion, fecha fin, fecha de fin, fin de contrato, "
    "data de cancelamento, data cancelamento, cancelamento, data de fim, data fim, data disdetta, data di "
    "disdetta, disdetta, data fine, data di cessazione, opzegdatum, einddatum, opgezegd op, oppsagt, "
    "oppsigelsesdato, sluttdato, slutdato, opsagt, slutdatum, uppsagd, paattymispaiva"
)
ENDED: Final = _names(
    "ended on, ended at, ended, to, until, expires at, expired at, subscription ended at, subscription end date, "
    "subscriptions ended at, end date, end, valid to, valid until, contract end, contract end date, "
    "subscription canceled at, subscription cancelled at, subscriptions cancelled at"
) + tuple(n for n in CHURNED if n not in ("ended on", "ended at", "ended", "end date", "end", "churned"))
PERIOD_END: Final = _names("current period end, period end, current period ends at, current term end")
TENURE: Final = _names(
    "tenure months, tenure, tenure in months, months active, months as customer, customer tenure, account length, "
    "months, laufzeit, laufzeit monate, monate, vertragsdauer, anciennete, anciennete mois, antiguedad, "
    "antiguedad meses, tempo de casa, meses, anzianita, looptijd, maanden, manader, maneder"
)
CHURN_FLAG: Final = _names(
    "churned, churn, churn label, churn value, is churned, has churned, exited, attrition, attrition flag, left, "
    "cancelled, canceled, customer status, gekundigt, abgewandert, resilie, parti, baja, cancelado, disdetto, "
    "opgezegd, oppsagt, uppsagd"
)
ACTIVE_FLAG: Final = _names(
    "active, is active, aktiv, actif, activo, ativo, attivo, actief, aktiv kunde, current customer"
)
CHURN_KIND: Final = _names("churn kind, churn type, cancellation type")
MRR: Final = _names(
    "mrr, monthly recurring revenue, subscription mrr, subscriptions mrr, mrr amount, monthly charges, monthly "
    "charge, monthly fee, monthly price, monthly revenue, monthly amount, recurring amount, total recurring "
    "amount, monatsbeitrag, monatlicher betrag, monatspreis, monatliche gebuhr, grundgebuhr, abonnement mensuel, "
    "montant mensuel, prix mensuel, cuota mensual, cuota, importe mensual, precio mensual, mensalidade, valor "
    "mensal, canone mensile, canone, importo mensile, maandbedrag, maandprijs, manedsbelop, manadsavgift, "
    "manedspris"
)
ARR: Final = _names(
    "arr, annual recurring revenue, annual fee, annual price, yearly price, annual amount, jahrespreis, "
    "jahresbeitrag, montant annuel, importe anual, valor anual"
)
PRICE: Final = _names(
    "amount, plan amount, unit amount, price, unit price, plan unit price, subscription plan unit price, "
    "subscriptions plan unit price, plan price, fee, subscription amount, recurring price, total, value, charge, "
    "rate, betrag, preis, gebuhr, beitrag, montant, prix, importe, precio, valor, preco, importo, prezzo, bedrag, "
    "prijs, belop, belopp, pris, hinta, unit amount in cents, amount cents, plan amount cents"
)
UNIT: Final = _names(
    "unit, interval, plan interval, billing interval, plan interval unit, billing period, subscription billing "
    "period, billing period unit, subscription billing period unit, subscriptions billing period unit, billing "
    "cycle, billing frequency, frequency, plan period unit, period unit, term, intervall, zahlungsintervall, "
    "abrechnungszeitraum, abrechnungsintervall, turnus, zahlweise, periodicite, frequence, periodicidad, "
    "frecuencia, periodicidade, ciclo, periodicita, facturatieperiode, periode"
)
ORDERED: Final = _names(
    "ordered on, order date, ordered at, purchase date, purchased on, purchased at, transaction date, invoice "
    "date, created at, processed at, paid at, payment date, date, sale date, sold on, order created at, order "
    "purchase timestamp, timestamp, created, day, bestelldatum, kaufdatum, auftragsdatum, belegdatum, "
    "rechnungsdatum, buchungsdatum, datum, date de commande, date commande, date d achat, date achat, date de "
    "facture, fecha de pedido, fecha pedido, fecha de compra, fecha compra, fecha factura, fecha, data do pedido, "
    "data pedido, data da compra, data compra, data dell ordine, data ordine, data acquisto, data vendita, data, "
    "besteldatum, aankoopdatum, ordredato, orderdatum, kjopsdato, kobsdato, kopdatum, dato, tilauspaiva, "
    "paivamaara"
)
AMOUNT: Final = _names(
    "amount, total, order total, total price, grand total, total amount, order amount, sales, revenue, net sales, "
    "order value, value, dollar value, price, total paid, amount paid, net amount, payment value, subtotal, "
    "spend, turnover, betrag, umsatz, gesamtbetrag, summe, nettobetrag, bestellwert, gesamtpreis, preis, montant, "
    "montant ttc, montant total, total ttc, montant ht, ca, chiffre d affaires, importe, importe total, monto, "
    "valor, valor total, total geral, receita, ventas, importo, importo totale, totale, fatturato, bedrag, "
    "totaalbedrag, totaal, omzet, belop, belopp, summa, sum, omsattning, omsetning, omsaetning, hinta, yhteensa, "
    "kwota"
)
ORDER_ID: Final = _names(
    "order id, order number, order no, invoice, invoice no, invoice number, transaction id, receipt, order, "
    "bestellnummer, auftragsnummer, rechnungsnummer, numero de commande, commande, numero de pedido, pedido, "
    "numero ordine, ordine, bestelnummer, ordrenummer, ordernummer"
)
PRODUCT: Final = _names(
    "product, product name, product id, sku, item, lineitem name, stock code, stockcode, category, description, "
    "produkt, artikel, artikelnummer, produit, article, producto, articulo, produto, prodotto, articolo"
)
OCCURRED: Final = _names(
    "occurred at, occurred on, timestamp, event timestamp, event time, event date, time, datetime, date time, "
    "created at, logged at, date, at, contacted on, contact date, call date, activity date, opened at, created "
    "date, create date, zeitpunkt, zeitstempel, zeit, datum, horodatage, fecha, data, tijdstip, tidspunkt, "
    "tidpunkt"
)
EVENT: Final = _names(
    "feature, event, event name, event type, action, activity, screen, page, ereignis, funktion, aktion, "
    "evenement, evento, accion, acao, azione, gebeurtenis, handling, hendelse, handelse"
)
CONTACT: Final = _names(
    "kind, type, channel, contact type, activity type, touchpoint, ticket type, medium, contact reason, art, "
    "kanal, kontaktart, canal, tipo, canale, soort, kanaal"
)
SCORE: Final = _names(
    "score, nps score, nps, rating, csat, csat score, ces, ces score, answer, response score, star rating, note, "
    "bewertung, punkte, punktzahl, antwort, puntuacion, nota, pontuacao, punteggio, voto, cijfer, poang, karakter"
)
SURVEY: Final = _names(
    "survey, survey type, survey name, question type, metric, umfrage, enquete, encuesta, pesquisa, sondaggio"
)
ASKED: Final = _names(
    "asked on, sent at, sent on, survey sent at, sent date, invited at, invitation date, survey date, start date, "
    "started at, date created, created at, created, date, timestamp, recorded date, response date, responded at, "
    "zeitstempel, horodateur, marca temporal, versendet am, einladung, befragungsdatum, umfragedatum, datum, date "
    "d envoi, date de l enquete, fecha de envio, fecha de encuesta, fecha, data de envio, data da pesquisa, data "
    "invio, data, verzonden op, dato"
)
ANSWERED: Final = _names(
    "answered on, answered at, responded at, responded on, response received at, submit date, submitted at, "
    "completed at, recorded date, end date, date modified, response date, antwortdatum, beantwortet am, date de "
    "reponse, fecha de respuesta, data da resposta, data risposta"
)
CURRENCY: Final = _names("currency, currency code, plan currency, wahrung, devise, monnaie, moneda, moeda, valuta")
QUANTITY: Final = _names(
    "quantity, plan quantity, subscription plan quantity, subscription quantity, seats, menge, anzahl, quantite, "
    "cantidad, quantidade, quantita, aantal"
)
MONTH: Final = _names("month, period, monat, mois, mes, mese, maand, maned, manad")
COST_KIND: Final = _names("kind, type, category, purpose, art, kategorie, zweck, categorie, categoria, tipo")
COST: Final = _names(
    "amount, cost, costs, spend, total, betrag, kosten, montant, cout, importe, coste, custo, costo, bedrag"
)
ACQUISITION: Final = _names(
    "acquisition cost, cac, customer acquisition cost, akquisekosten, cout d acquisition, coste de adquisicion"
)
SEGMENT: Final = _names(
    "plan, segment, tier, region, country, country region, industry, contract, channel, source, product, company "
    "size, size, type, category, onboarding, plan name, plan code, package, market, state, payment method, "
    "internet service, tarif, land, branche, kanal, paket, vertrag, vertriebskanal, pays, secteur, forfait, "
    "offre, canal, pais, sector, setor, regiao, paese, settore, regione, regio, bransch, bransje, bundesland"
)
LINE_START: Final = _names(
    "line start, minimum line item period start, period start, start date, service start, line item period start, "
    "from date, date from, from, valid from, period from, covers from, coverage start, leistungsbeginn, "
    "leistungszeitraum von, von, "
    "debut de periode, debut, du, desde, dal, van"
)
LINE_END: Final = _names(
    "line end, maximum line item period end, period end, end date, service end, line item period end, to date, "
    "date to, to, period to, covers to, coverage end, until, through, valid to, valid until, leistungsende, "
    "leistungszeitraum bis, bis, fin de periode, fin, au, hasta, al, tot"
)
INVOICED: Final = _names(
    "invoiced on, invoice date, date, created, created at, issued on, issue date, closed at, invoice created at, "
    "rechnungsdatum, date de facture, fecha factura, data fattura, invoice billed date, date from"
)
LINE_KIND: Final = _names("kind, line type, type, line item type, art")
MOVE: Final = _names(
    "kind, movement type, change type, event type, type, activity type, activity, movement, event, mrr event, art"
)
CHANGE: Final = _names(
    "change, mrr change, mrr movement, movement mrr, activity mrr movement, delta, net mrr, amount change, amount"
)
FILES: Final = {  # words of file names
    "customers": (
        "customer customers account accounts client clients crm kunden kunde companies company contacts users user "
        "members clientes clienti klanten kunder kundliste asiakkaat churn telco subscribers hubspot"
    ),
    "subscriptions": (
        "subscription subscriptions subs contracts contract abo abos abonnements abonnement vertraege vertrage "
        "suscripciones assinaturas abbonamenti abonnementen abonnementer prenumerationer mrr memberships"
    ),
    "orders": (
        "order orders sales purchases transactions transaction retail superstore bestellungen auftraege auftrage "
        "umsatz umsaetze umsatze verkaeufe commandes ventes achats pedidos ventas compras vendas ordini vendite "
        "acquisti bestellingen verkopen ordrer ordre salg bestallningar forsaljning tilaukset orders_export cdnow"
    ),
    "usage": (
        "usage events event activity logins log logs nutzung ereignisse evenements eventos eventi gebruik mixpanel "
        "posthog ga4 amplitude telemetry"
    ),
    "surveys": (
        "survey surveys nps csat ces responses answers feedback umfrage umfragen enquete enquetes encuesta encuestas "
        "pesquisa sondaggio typeform surveymonkey delighted qualtrics satisfaction"
    ),
    "touchpoints": ("touchpoints touchpoint tickets calls meetings interactions engagements kontakte support"),
    "costs": ("costs cost spend marketing budget kosten couts costes custos costi"),
    "movements": ("movements movement mrr activities changes"),
    "invoices": (
        "invoice invoices rechnungen rechnung factures facturas faturas fatture facturen lines lineitems adjustments"
    ),
}
NPS: Final = (
    r"\bnps\b|recommend|weiterempf|empfehl|recommand|recomend|raccomand|consigli|aanbevel|anbefal|rekommend|suosittel"
)
CSAT: Final = r"\bcsat\b|satisf|zufrieden|satisfecho|soddisf|tevreden|tilfreds|nojd|fornoyd|tyytyvais"
CES: Final = r"\bces\b|effort|easy|easily|einfach|leicht|facile|facil|makkelijk|enkelt|aufwand"
QUESTIONS: Final = {"nps": NPS, "csat": CSAT, "ces": CES}


def likeness(name: str, known: Sequence[str]) -> float:
    """Tell how like a name is to those of a role: up to 1 where it is one, up to 0.65 where one is part of it, else 0.

    Examples
    --------
    >>> likeness("customerID", CUSTOMER), likeness("Plan", CUSTOMER)
    (1.0, 0.0)
    """
    bare = plain(name)
    if bare in known:
        return 1 - 0.3 * known.index(bare) / len(known)
    words = f" {bare} "
    inside = [len(n.split()) for n in known if len(n) > 3 and f" {n} " in words]
    return 0.5 + 0.15 * max(inside) / len(bare.split()) if inside else 0.0


def of_file(name: str) -> dict[str, float]:
    """Tell which tables a file's name speaks of: 1 for its last telling word, less for one before it.

    Examples
    --------
    >>> of_file("crm_customers.csv")["customers"], of_file("x.csv")
    (1.0, {})
    """
    words = plain(re.sub(r"\.(csv|tsv|parquet)(\.gz)?$", "", name)).split()
    return {table: 1.0 for table, known in FILES.items() if set(words) & set(known.split())}


@cache
def asked(text: str) -> str:
    """Name the survey that a question, a column or a file speaks of; empty where none.

    Examples
    --------
    >>> asked("How likely are you to recommend us?"), asked("Wie zufrieden sind Sie?"), asked("Plan")
    ('nps', 'csat', '')
    """
    return next((survey for survey, words in QUESTIONS.items() if re.search(words, plain(text))), "")
