#!/usr/bin/env python3
"""Reckons totals, gains and the curve again, from exported data and the ECB's rates, and compares to the cent.

usage: cote.py CASE.json

The case holds: `rates` (path of the ECB's eurofxref-hist.csv or .zip), `today` (a day), `pieces` (as in a
backup), `figures` (with `msrp_amount`, `msrp_currency` and `prices`: [{at, amount, currency}]), `display` (a
currency or null), `cote` (the answer of GET /api/me/cote) and `evolution` (of /api/me/cote/evolution?range=all).
Nothing but the standard library; decimal all the way. The last line is `independent: N numbers agree`.
"""

import bisect
import csv
import datetime
import io
import json
import sys
import zipfile
from decimal import ROUND_HALF_UP, Decimal, getcontext

getcontext().prec = 60
PLACES = {"JPY": Decimal(1)}
CENT = Decimal("0.01")
FROZEN = Decimal(1).scaleb(-15)
STANDS_FOR = 7


def rounded(amount, currency="EUR"):
    """Half away from zero, to what the currency can express."""
    return amount.quantize(PLACES.get(currency, CENT), rounding=ROUND_HALF_UP)


def day(text):
    return datetime.date.fromisoformat(text[:10])


class Rates:
    """Units of each currency for one euro, by day."""

    def __init__(self, path):
        if path.endswith(".zip"):
            with zipfile.ZipFile(path) as whole:
                text = whole.read(whole.namelist()[0]).decode()
        else:
            text = open(path, encoding="utf-8").read()
        self.tables = {}
        for row in csv.DictReader(io.StringIO(text)):
            quotes = {}
            for code, rate in row.items():
                if code and code != "Date" and rate and rate not in ("N/A", ""):
                    quotes[code.strip()] = Decimal(rate)
            self.tables[day(row["Date"])] = quotes
        self.days = sorted(self.tables)

    def back_from(self, on, currency):
        """The rate of a day, or of the last working day before it, at most a week back."""
        at = bisect.bisect_right(self.days, on) - 1
        while at >= 0 and (on - self.days[at]).days <= STANDS_FOR:
            rate = self.tables[self.days[at]].get(currency)
            if rate is not None:
                return rate
            at -= 1
        return None

    def newest(self, currency):
        return Decimal(1) if currency == "EUR" else self.tables[self.days[-1]].get(currency)

    def eur(self, amount, currency):
        return amount if currency == "EUR" else amount / self.newest(currency)

    def frozen(self, currency, bought, today):
        """Euro for one unit as it was frozen: that of the purchase date if it is past and known, else the newest."""
        if currency == "EUR":
            return Decimal(1)
        rate = self.back_from(bought, currency) if bought and bought <= today else None
        rate = rate or self.newest(currency)
        return (Decimal(1) / rate).quantize(FROZEN, rounding=ROUND_HALF_UP)


def amount(of, name):
    value = of.get(name)
    return None if value is None else Decimal(value)


class Piece:
    def __init__(self, row, figure, rates, today):
        self.figure = figure
        orders = row["preorders"]
        status = orders[-1]["status"] if orders else None
        self.counts = status in (None, "received")
        received = orders[-1]["received_at"] if status == "received" else None
        self.acquired = day(received or row["purchase_date"] or row["added_at"])
        self.archived = day(row["archived_at"]) if row["archived_at"] else None
        self.own = (amount(row, "value_amount"), row["value_currency"])
        price, currency = amount(row, "price_amount"), row["price_currency"]
        bought = day(row["purchase_date"]) if row["purchase_date"] else None
        self.cost = None
        if price is not None:
            self.cost = price * rates.frozen(currency, bought, today)
        elif row["origin"] == "gift":
            self.cost = Decimal(0)
        self.sold = None
        if self.archived and row["sold_amount"]:
            self.sold = (amount(row, "sold_amount"), row["sold_currency"], day(row["sold_on"] or row["archived_at"]))

    def worth(self, on):
        """(amount, currency, tier) at the end of a day; None without any."""
        if self.own[0] is not None:
            return (*self.own, "manual")
        prices = self.figure["prices"]
        at = bisect.bisect_right(prices, on, key=lambda price: day(price["at"])) - 1
        if at >= 0:
            return (Decimal(prices[at]["amount"]), prices[at]["currency"], "market")
        if self.figure["msrp_amount"] is not None:
            return (Decimal(self.figure["msrp_amount"]), self.figure["msrp_currency"], "msrp")
        return None


class Check:
    def __init__(self):
        self.agreed, self.failed = 0, []

    def same(self, what, ours, theirs):
        if ours == theirs:
            self.agreed += 1
        else:
            self.failed.append(f"{what}: reckoned {ours}, answered {theirs}")


def main(path):
    case = json.load(open(path, encoding="utf-8"))
    rates, today = Rates(case["rates"]), day(case["today"])
    figures = {figure["id"]: figure for figure in case["figures"]}
    for figure in figures.values():
        figure["prices"].sort(key=lambda price: price["at"])
    pieces = [Piece(row, figures[row["figure_id"]], rates, today) for row in case["pieces"]]
    check = Check()
    cote = case["cote"]

    value = compared = cost = Decimal(0)
    tiers = {"manual": 0, "market": 0, "msrp": 0}
    here = [piece for piece in pieces if piece.counts and not piece.archived]
    for piece in here:
        worth = piece.worth(datetime.date.max)
        if worth is None:
            continue
        tiers[worth[2]] += 1
        eur = rates.eur(worth[0], worth[1])
        value += eur
        if piece.cost is not None:
            compared += eur
            cost += piece.cost
    realised = Decimal(0)
    for piece in pieces:
        if piece.sold and piece.cost is not None:
            brought, currency, on = piece.sold
            rate = Decimal(1) if currency == "EUR" else rates.back_from(on, currency) or rates.newest(currency)
            realised += brought / rate - piece.cost
    gain = rounded(compared) - rounded(cost)
    for name, ours in [
        ("value_eur", rounded(value)),
        ("value_compared_eur", rounded(compared)),
        ("cost_eur", rounded(cost)),
        ("gain_eur", gain),
        ("realised_gain_eur", rounded(realised)),
        ("gain_percent", rounded(gain / rounded(cost) * 100)),
    ]:
        check.same(name, ours, Decimal(cote[name]))
    for name, ours in [
        ("pieces_total", len(here)),
        ("pieces_valued", sum(tiers.values())),
        ("pieces_manual", tiers["manual"]),
        ("pieces_market", tiers["market"]),
        ("pieces_msrp", tiers["msrp"]),
        ("fx_date", rates.days[-1].isoformat()),
        ("partial", False),
    ]:
        check.same(name, ours, cote[name])
    currency = case["display"]
    if currency:
        show = lambda eur: rounded(eur if currency == "EUR" else eur * rates.newest(currency), currency)
        shown = cote["display"]
        for name, ours in [
            ("value", show(value)),
            ("value_compared", show(compared)),
            ("cost", show(cost)),
            ("gain", show(compared) - show(cost)),
            ("realised_gain", show(realised)),
        ]:
            check.same(f"display.{name}", ours, Decimal(shown[name]))

    points = case["evolution"]["points"]
    for at, point in enumerate(points):
        on, total = day(point["day"]), Decimal(0)
        last = at == len(points) - 1
        for piece in pieces:
            gone = piece.archived and piece.archived <= on
            if not piece.counts or gone or (piece.acquired > on and not last):
                continue
            worth = piece.worth(on)
            if worth:
                total += rates.eur(worth[0], worth[1])
        check.same(f"evolution on {on}", rounded(total), Decimal(point["value_eur"]))

    for failure in check.failed[:40]:
        print(failure)
    if check.failed:
        print(f"independent: {len(check.failed)} of {len(check.failed) + check.agreed} numbers differ")
        return 1
    print(f"independent: {check.agreed} numbers agree")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
