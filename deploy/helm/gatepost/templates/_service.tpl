{{- /* spec of a Service; what the values do not have is not there: (dict "root" $ "service" .Values.service "expose" "public") */ -}}

{{- define "gatepost.serviceSpec" -}}
{{- $service := .service -}}
type: {{ $service.type }}
selector:
  {{- include "gatepost.selectorLabels" .root | nindent 2 }}
ports:
  {{- include "gatepost.servicePorts" (dict "root" .root "expose" .expose "type" $service.type) | trim | nindent 2 }}
{{- if ne $service.type "ClusterIP" }}
externalTrafficPolicy: {{ $service.externalTrafficPolicy }}
{{- end }}
{{- if eq $service.type "LoadBalancer" }}
{{- range $key := list "loadBalancerIP" "loadBalancerClass" }}
{{- with get $service $key }}
{{ $key }}: {{ . | quote }}
{{- end }}
{{- end }}
{{- with $service.loadBalancerSourceRanges }}
loadBalancerSourceRanges:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if kindIs "bool" $service.allocateLoadBalancerNodePorts }}
allocateLoadBalancerNodePorts: {{ $service.allocateLoadBalancerNodePorts }}
{{- end }}
{{- end }}
{{- range $key := list "internalTrafficPolicy" "clusterIP" "ipFamilyPolicy" "sessionAffinity" "trafficDistribution" }}
{{- with get $service $key }}
{{ $key }}: {{ . | quote }}
{{- end }}
{{- end }}
{{- range $key := list "externalIPs" "ipFamilies" }}
{{- with get $service $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}
