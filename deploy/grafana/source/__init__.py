"""The dashboards of Gatepost as tables of rows and panels. ../generate turns them into Grafana's JSON."""
