"""A made-up year of the registry for the demonstration city: every act says `synthetic`, and so do pages and papers.

Names, quantities and prices are invented; nothing here is a real company, a real filing or a real price.
"""

import math
import tempfile
from pathlib import Path
from typing import Any

from dualcarbon.registry import mirroring
from dualcarbon.registry.book import Registry
from dualcarbon.registry.words import refuse

REDUCTION = {"instrument": "inclusive_reduction"}
AGENCY = "演示核证机构"
OWNERS = {"公交": "演示公交公司", "光伏": "演示光伏公司", "林地": "演示林场"}
BUYERS = ("演示化纤厂", "演示印染厂", "演示会展公司", "演示光电公司")
MONTHS = tuple(f"{year}-{month:02}" for year in (2025, 2026) for month in range(1, 13))[:22]


def fill(registry: Registry, statuses: set[str]) -> dict[str, int]:
    """Fill a demonstration workspace; what is there already stays. Returns how many acts were done and were known.

    `statuses` are those of the workspace's datasets; one without `synthetic` is refused (`registry.not-a-demo`).
    """
    if "synthetic" not in statuses:
        raise refuse("not-a-demo", "workspace", "、".join(sorted(statuses)) or "—")
    registry.install()
    done = {"ok": 0, "exists": 0}

    def do(action: str, id: str, at: str, **said: Any) -> dict[str, Any]:
        answer = registry.do(action, f"demo-{id}", at=at, synthetic=True, **said)
        done[answer["result"]] += 1
        return answer

    _certificates(do)
    _filings(do)
    _reductions(do)
    _rights(do)
    _points(do)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "演示省级市场.csv"
        path.write_text(_elsewhere(), encoding="utf-8")
        done[mirroring.import_trades(registry, path, "演示省级市场")["result"]] += 1
    return done


def _certificates(do: Any) -> None:
    """A roof's certificates each month of a year, allocated and partly used; others bought outside the province."""
    gec = {"instrument": "gec"}
    first = 1
    for n, month in enumerate(MONTHS[6:18]):
        count = 400 + round(180 * math.sin(math.pi * (n + 2) / 6))
        said = {"subjects": ["演示光伏-01"], "period": month, "document": f"演示核发 {month}", "holder": OWNERS["光伏"]}
        day = f"{MONTHS[7 + n]}-15"
        do("import", f"gec-{month}", day, quantity=count, first=first, **said, **gec)
        first += count
        buyer = BUYERS[n % 2]
        do("transfer", f"gec-{month}-to", day, seller=OWNERS["光伏"], buyer=buyer, quantity=count // 2, **gec)
        if n % 3 == 2:
            use = {"purpose": f"{month[:4]} 年绿电消费", "beneficiary": buyer}
            do("retire", f"gec-{month}-use", f"{MONTHS[8 + n]}-05", holder=buyer, quantity=count // 3, **use, **gec)
    bought = {"holder": "嘉兴市省外绿证专户2024", "subjects": ["演示省外风电-01"], "document": "演示核发 2024"}
    for n, (period, count) in enumerate((("2024-04", 150_000), ("2024-10", 150_000)), 1):
        day = "2024-12-10"
        do("import", f"gec-outside-{n}", day, quantity=count, first=900_000_000 + n * 1_000_000, period=period,
           **bought, **gec)  # fmt: skip
    use = {"purpose": "2024 年能耗强度考核抵扣", "beneficiary": "嘉兴市（演示）"}
    do("retire", "gec-outside-use", "2024-12-20", holder=bought["holder"], quantity=260_000, **use, **gec)
    block = {"holder": BUYERS[1], "quantity": 60, "reason": "演示：权属争议"}
    do("suspend", "gec-block", "2026-09-01", **block, **gec)


def _filings(do: Any) -> None:
    """Three methodologies filed, one handed in, one sent back; three projects; a verifier."""
    texts = {
        "公交": "公共交通出行",
        "光伏": "分布式光伏发电",
        "林地": "林业碳汇",
        "骑行": "公共自行车骑行",
        "旧衣": "旧衣回收",
    }
    for name, title in texts.items():
        said = {
            "kind": "methodology",
            "title": f"演示：{title}减排",
            "document": f"演示方法学 {title}",
            "actor": "演示研究院",
        }
        do("submit", f"m-{name}", "2024-11-01", **said, **REDUCTION)
        if name in OWNERS:
            do("advance", f"m-{name}-file", "2024-12-01", filing=f"demo-m-{name}", step="file", document="演示备案")
    do(
        "advance",
        "m-旧衣-return",
        "2024-12-01",
        filing="demo-m-旧衣",
        step="return",
        reason="演示：缺少基准线的数据来源",
    )
    do("appoint", "verifier", "2024-12-10", appointed="verifier", entity=AGENCY, **REDUCTION)
    for name, owner in OWNERS.items():
        said = {"kind": "project", "parent": f"demo-m-{name}", "title": f"演示{name}项目", "document": "演示申请书"}
        do("submit", f"p-{name}", "2024-12-15", subjects=[f"演示{name}-11"], actor=owner, **said, **REDUCTION)
        step = {"filing": f"demo-p-{name}", "step": "register", "document": "演示登记"}
        do("advance", f"p-{name}-register", "2024-12-28", **step)


def _reductions(do: Any) -> None:
    """Each quarter's report verified and issued; a listing most months, its trade settled; one voided, one waiting."""
    for n, quarter in enumerate(("2025-Q1", "2025-Q2", "2025-Q3", "2025-Q4", "2026-Q1", "2026-Q2")):
        for m, (name, owner) in enumerate(OWNERS.items()):
            reported = 180_000 + 17_000 * ((3 * n + 5 * m) % 7)
            day = f"{MONTHS[3 * n + 3]}-{10 + m:02}"
            said = {"kind": "report", "parent": f"demo-p-{name}", "period": quarter, "quantity": reported}
            do("submit", f"r-{name}-{quarter}", day, document="演示监测报告", actor=owner, **said, **REDUCTION)
            if (n, m) == (5, 2):
                continue
            verify = {
                "step": "verify",
                "quantity": reported * (97 - m) // 100,
                "document": "演示核证报告",
                "actor": AGENCY,
            }
            do("advance", f"r-{name}-{quarter}-v", day, filing=f"demo-r-{name}-{quarter}", **verify)
            if (n, m) != (5, 1):
                issue = {"report": f"demo-r-{name}-{quarter}", "holder": owner}
                do("issue", f"i-{name}-{quarter}", day, **issue, **REDUCTION)
    for n, month in enumerate(MONTHS[5:]):
        owner, buyer = tuple(OWNERS.values())[n % 3], BUYERS[n % 4]
        price = 3200 + 40 * n + round(220 * math.sin(n))
        for k in range(1 + n % 3):
            asked = {"holder": owner, "quantity": 12_000 + 4_000 * k, "price": f"{(price + 60 * k) / 100:.2f}"}
            do("offer", f"o-{month}-{k}", f"{month}-04", **asked, **REDUCTION)
            do("accept", f"x-{month}-{k}", f"{month}-08", offer=f"demo-o-{month}-{k}", holder=buyer)
            if (month, k) == ("2026-10", 1):
                continue
            if (month, k) == ("2026-03", 0):
                do("void", f"v-{month}", f"{month}-20", trade=f"demo-x-{month}-{k}", reason="演示：买方未付款")
                continue
            paid = {"trade": f"demo-x-{month}-{k}", "payment": f"演示回单 {month}-{k}"}
            do("settle", f"s-{month}-{k}", f"{month}-12", **paid)
    use = {"purpose": "演示：会议碳中和", "beneficiary": BUYERS[2]}
    do("retire", "use-1", "2026-06-05", holder=BUYERS[2], quantity=15_000, **use, **REDUCTION)
    for n, (side, party, count, asking) in enumerate((
        ("sell", OWNERS["公交"], 30_000, "39.80"), ("sell", OWNERS["林地"], 20_000, "41.00"),
        ("sell", OWNERS["光伏"], 16_000, "39.80"),
        ("buy", BUYERS[0], 25_000, "38.60"),
        ("buy", BUYERS[3], 40_000, "37.50"),
    )):  # fmt: skip
        said = {"side": side, "holder": party, "quantity": count, "price": asking}
        do("offer", f"open-{n}", "2026-10-20", **said, **REDUCTION)


def _rights(do: Any) -> None:
    """New energy quota of two counties and what they sold, three pollutant trades across counties, water rights."""
    year = {"instrument": "energy_right", "vintage": "2026"}
    for county, new in (("平湖市", 60_000_000), ("桐乡市", 48_000_000)):
        said = {"holder": f"{county}（演示）", "quantity": new, "kind": "increment", "document": "演示：年度新增指标"}
        do("issue", f"quota-{county}", "2026-01-10", **said, **year)
        for n in range(4):
            sold = {
                "holder": f"{county}（演示）",
                "quantity": 3_000_000 + 500_000 * n,
                "kind": "increment",
                "place": county,
            }
            asked = f"{118 + 4 * n + (6 if county == '桐乡市' else 0)}.00"
            do("offer", f"eo-{county}-{n}", f"2026-{2 * n + 2:02}-05", price=asked, **sold, **year)
            took = {"offer": f"demo-eo-{county}-{n}", "holder": BUYERS[n], "place": county}
            do("accept", f"ex-{county}-{n}", f"2026-{2 * n + 2:02}-12", **took)
            paid = {"trade": f"demo-ex-{county}-{n}", "payment": "演示回单"}
            do("settle", f"es-{county}-{n}", f"2026-{2 * n + 2:02}-20", **paid)
    for n, (code, seller, buyer, grams) in enumerate((
        ("pollutant_cod", "海宁市", "平湖市", 4_000_000), ("pollutant_nox", "平湖市", "桐乡市", 6_500_000),
        ("pollutant_so2", "桐乡市", "海盐县", 2_200_000),
    )):  # fmt: skip
        own = {"instrument": code, "vintage": "2026"}
        do("issue", f"permit-{n}", "2026-01-05", holder=BUYERS[n], quantity=grams * 3, document="演示：排污许可", **own)
        said = {"holder": BUYERS[n], "quantity": grams, "price": f"{5200 + 900 * n}.00", "place": seller}
        do("offer", f"po-{n}", f"2026-0{3 + n}-02", counterparty=BUYERS[(n + 1) % 4], **said, **own)
        do("accept", f"px-{n}", f"2026-0{3 + n}-09", offer=f"demo-po-{n}", holder=BUYERS[(n + 1) % 4], place=buyer)
        do("settle", f"ps-{n}", f"2026-0{3 + n}-16", trade=f"demo-px-{n}", payment="演示回单")
    for n, code in enumerate(("water_regional", "water_abstraction", "water_irrigation")):
        own = {"instrument": code, "vintage": "2026", "document": "演示：水权确权"}
        do("issue", f"water-{n}", "2026-01-20", holder=f"演示取水户 {n + 1}", quantity=90_000_000 * (n + 1), **own)


def _points(do: Any) -> None:
    """A resident's points: earned by riding, partly used."""
    points = {"instrument": "inclusive_points"}
    do(
        "issue",
        "points-1",
        "2026-05-31",
        holder="演示居民",
        quantity=1_240,
        document="演示：2026 年 5 月骑行",
        **points,
    )
    use = {"purpose": "演示：积分商城兑换", "beneficiary": "演示居民"}
    do("retire", "points-2", "2026-06-02", holder="演示居民", quantity=300, **use, **points)


def _elsewhere() -> str:
    """A file of another market's trades, made up."""
    lines = ["成交编号,品种,年度,成交日期,数量,单位,单价,出让方,受让方,演示数据"]
    for n, month in enumerate(MONTHS[12:]):
        lines.append(
            f"演示-{n + 1:03},energy_right,2026,{month}-18,{900 + 130 * n},吨标准煤（等价值）,{96 + 2 * n}.50,,,是"
        )
        lines.append(f"演示-R{n + 1:03},inclusive_reduction,,{month}-21,{40 + 7 * n},吨二氧化碳当量,{52 - n}.00,,,是")
    return "\n".join(lines) + "\n"
