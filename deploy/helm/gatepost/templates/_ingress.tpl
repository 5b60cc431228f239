{{- /* Who may reach internal listeners: pods, and whom a Service that leads out of the cluster is for. */ -}}
{{- define "gatepost.internalClients" -}}
{{- $from := .Values.networkPolicy.internal.from -}}
{{- if not $from -}}
{{- $from = list (dict "namespaceSelector" dict) -}}
{{- with .Values.service.internal -}}
{{- if and .enabled (ne .type "ClusterIP") -}}
{{- if not .loadBalancerSourceRanges -}}{{- fail (printf "networkPolicy.internal.from: who outside of the cluster may reach service.internal, a %s? It, or service.internal.loadBalancerSourceRanges" .type) -}}{{- end -}}
{{- range .loadBalancerSourceRanges -}}{{- $from = append $from (dict "ipBlock" (dict "cidr" .)) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $from -}}
{{- end -}}
