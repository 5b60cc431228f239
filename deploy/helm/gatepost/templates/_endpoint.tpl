{{- /* What a ServiceMonitor and a PodMonitor say alike about the port that is scraped. */ -}}

{{- define "gatepost.endpoint" -}}
- port: admin
  path: /metrics
  interval: {{ .interval }}
  scrapeTimeout: {{ .scrapeTimeout }}
  honorLabels: {{ .honorLabels }}
  {{- range $key := list "relabelings" "metricRelabelings" }}
  {{- with get $ $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
{{- end -}}
