{{- /* spec of a ServiceMonitor or a PodMonitor: (dict "root" $ "monitor" .Values.metrics.podMonitor "key" "podMonitor" "selector" (dict)) */ -}}

{{- define "gatepost.monitorSpec" -}}
{{- if not .root.Values.metrics.enabled -}}{{- fail (printf "metrics.%s.enabled needs metrics.enabled" .key) -}}{{- end -}}
{{- $monitor := .monitor -}}
jobLabel: {{ $monitor.jobLabel }}
{{- range $key := list "targetLabels" "podTargetLabels" }}
{{- with get $monitor $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- range $key := list "sampleLimit" "labelLimit" }}
{{- with get $monitor $key }}
{{ $key }}: {{ int64 . }}
{{- end }}
{{- end }}
selector:
  matchLabels:
    {{- include "gatepost.selectorLabels" .root | nindent 4 }}
    {{- with .selector }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
namespaceSelector:
  matchNames: [{{ include "gatepost.namespace" .root | quote }}]
{{ ternary "endpoints" "podMetricsEndpoints" (eq .key "serviceMonitor") }}:
  - port: admin
    path: /metrics
    interval: {{ $monitor.interval }}
    scrapeTimeout: {{ $monitor.scrapeTimeout }}
    honorLabels: {{ $monitor.honorLabels }}
    {{- range $key := list "relabelings" "metricRelabelings" }}
    {{- with get $monitor $key }}
    {{ $key }}:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- end }}
{{- /* The operator leaves out such a monitor, and says so only in its log. */ -}}
{{- if gt (include "gatepost.seconds" $monitor.scrapeTimeout | int) (include "gatepost.seconds" $monitor.interval | int) -}}
{{- fail (printf "metrics.%s.scrapeTimeout: longer than interval" .key) -}}
{{- end -}}
{{- end -}}
