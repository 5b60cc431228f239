"""A whole dashboard: its variables, links, events and rows, with every panel in its place."""
import json

from .panels import DATASOURCE
from .query import expand

# label, what is asked for its values, what "All" stands for. Outside Kubernetes nothing has a namespace, so All must match none, too.
VARIABLES = [
    ("namespace", "label_values(gatepost_build_info, namespace)", ".*"),
    ("job", 'label_values(gatepost_build_info{namespace=~"$namespace"}, job)', ".+"),
    ("instance", 'label_values(gatepost_build_info{namespace=~"$namespace",job=~"$job"}, instance)', ".+"),
    ("listener", "label_values(gatepost_connections_accepted_total{F}, listener)", ".+"),
    ("upstream", "label_values(gatepost_upstream_up{F}, upstream)", ".+"),
]

# name, colour, title, query. $__rate_interval is never shorter than four scrapes, so no event falls between two steps.
EVENTS = [
    ("Reload", "blue", "Configuration loaded", "sum by (instance) (changes(gatepost_config_last_reload_success_timestamp_seconds{F}[R])) > 0"),
    ("Restart", "orange", "Process started", "sum by (instance) (changes(process_start_time_seconds{F}[R])) > 0"),
    ("Deploy", "purple", "New version", "count by (version, revision) (gatepost_build_info{F}) unless count by (version, revision) (gatepost_build_info{F} offset $__rate_interval)"),
]


def variable(name, query, everything, is_used):
    return {
        "type": "query",
        "name": name,
        "label": name.capitalize(),
        "datasource": DATASOURCE,
        "query": expand(query),
        "definition": expand(query),
        "refresh": 2,  # when the time range changes
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": everything,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        # Hidden it still hands the choice on to the dashboard that is opened next.
        "hide": 0 if is_used else 2,
    }


def datasource():
    return {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "refresh": 1, "hide": 0, "current": {}}


def event(name, colour, title, query):
    return {
        "name": name,
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "expr": expand(query),
        "step": "",
        "titleFormat": title,
        "textFormat": "{{instance}} {{version}}",
        "tagKeys": "instance,version",
    }


def dashboard(slug, title, description, *rows):
    panels = list(placed(rows))
    text = json.dumps(panels)
    return {
        "uid": f"gatepost-{slug}",
        "title": f"Gatepost / {title}",
        "description": description,
        "tags": ["gatepost"],
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "schemaVersion": 39,
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "weekStart": "",
        "fiscalYearStartMonth": 0,
        "liveNow": False,
        "links": [{"type": "dashboards", "title": "Gatepost", "tags": ["gatepost"], "asDropdown": True, "includeVars": True, "keepTime": True, "targetBlank": False, "icon": "external link"}],
        "annotations": {"list": [event(*row) for row in EVENTS]},
        "templating": {"list": [datasource(), *(variable(*row, is_used=row[0] in ("namespace", "job", "instance") or f"${row[0]}" in text) for row in VARIABLES)]},
        "panels": panels,
    }


def placed(rows):
    """Panels from left to right, in lines 24 wide; each row of panels begins with its title."""
    top, number = 0, 0
    for title, *panels in rows:
        number += 1
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": {"x": 0, "y": top, "w": 24, "h": 1}, "panels": []}
        top, left, height = top + 1, 0, 0
        for panel in panels:
            place = panel["gridPos"]
            if left + place["w"] > 24:
                top, left, height = top + height, 0, 0
            number += 1
            yield {"id": number, **panel, "gridPos": {"x": left, "y": top, **place}}
            left, height = left + place["w"], max(height, place["h"])
        top += height
