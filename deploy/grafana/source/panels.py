"""What a panel looks like in Grafana's JSON: one function a kind. Places are given by ../generate."""
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, ORANGE, RED, BLUE = "green", "orange", "red", "blue"


def steps(*colours):
    """Thresholds: the colour at first, then (from, colour) pairs."""
    first, *rest = colours
    return [{"color": first, "value": None}, *({"color": colour, "value": value} for value, colour in rest)]


def panel(kind, title, unit, description, queries, width, height, defaults=None, options=None, **more):
    targets = [
        {"datasource": DATASOURCE, "editorMode": "code", "expr": query.expression, "legendFormat": query.legend or title, "range": True, "refId": chr(ord("A") + number)}
        for number, query in enumerate(queries)
    ]
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "fieldConfig": {"defaults": {"unit": unit, **(defaults or {})}, "overrides": more.pop("overrides", [])},
        "gridPos": {"w": width, "h": height},
        "options": options or {},
        "targets": targets,
        **more,
    }


def series(title, unit, description, *queries, width=8, stacked=False, most=None, limits=None):
    """Lines over time. `most` is the top of the axis, `limits` are thresholds that are drawn."""
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 40 if stacked else 8, "showPoints": "never", "spanNulls": False}
    custom["stacking"] = {"mode": "normal" if stacked else "none", "group": "A"}
    defaults = {"min": 0, "color": {"mode": "palette-classic"}, "custom": custom}
    if most is not None:
        defaults["max"] = most
    if limits:
        defaults["thresholds"] = {"mode": "absolute", "steps": limits}
        custom["thresholdsStyle"] = {"mode": "line"}
    options = {
        "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["mean", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel("timeseries", title, unit, description, queries, width, 8, defaults, options)


def number(title, unit, description, query, width=3, height=4, colours=None, words=None, decimals=None, shows="auto"):
    """One figure, as it is now. `words` are shown instead of values: {0: ("no", RED)}."""
    defaults = {"color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": colours or steps(BLUE)}}
    if words:
        defaults["mappings"] = [{"type": "value", "options": {str(value): {"text": text, "color": colour, "index": index} for index, (value, (text, colour)) in enumerate(words.items())}}]
    if decimals is not None:
        defaults["decimals"] = decimals
    options = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "value", "graphMode": "none", "textMode": shows, "justifyMode": "auto"}
    return panel("stat", title, unit, description, [query], width, height, defaults, options)


def heatmap(title, unit, description, query, width=8):
    options = {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5},
        "yAxis": {"unit": unit, "axisPlacement": "left"},
        "rowsFrame": {"layout": "le"},
        "tooltip": {"mode": "single", "yHistogram": True},
        "legend": {"show": True},
        "filterValues": {"le": 1e-9},
    }
    made = panel("heatmap", title, unit, description, [query], width, 8, options=options)
    made["targets"][0]["format"] = "heatmap"
    return made


def table(title, description, *columns, width=24, height=8, names=None):
    """One row for each set of labels; a column is (heading, unit, query). `names` are headings of labels."""
    headings = {f"Value #{chr(ord('A') + number)}": heading for number, (heading, _, _) in enumerate(columns)}
    overrides = [{"matcher": {"id": "byName", "options": heading}, "properties": [{"id": "unit", "value": unit}]} for heading, unit, _ in columns]
    made = panel("table", title, "none", description, [query for _, _, query in columns], width, height, {"custom": {"align": "auto", "filterable": True}},
                 {"showHeader": True, "cellHeight": "sm"}, overrides=overrides)  # fmt: skip
    for target in made["targets"]:
        del target["range"]
        target |= {"format": "table", "instant": True, "legendFormat": ""}
    rename = {**headings, **(names or {})}
    made["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": rename}},
    ]
    return made


def alerts(title, description, width):
    """What fires now, of Grafana's own alerts and of those in Prometheus; it has no query."""
    options = {
        "alertName": "Gatepost",
        "dashboardAlerts": False,
        "datasource": "${datasource}",
        "groupBy": [],
        "groupMode": "default",
        "maxItems": 20,
        "sortOrder": 1,
        "stateFilter": {"firing": True, "pending": True, "error": True, "noData": False, "normal": False},
        "viewMode": "list",
    }
    made = panel("alertlist", title, "none", description, [], width, 4, options=options)
    del made["targets"]
    return made
