{{- /* What only the API server would refuse. */ -}}
{{- define "gatepost.serviceChecks" -}}
{{- $key := ternary "service" "service.internal" (eq .expose "public") -}}
{{- with .service -}}
{{- if and (eq .clusterIP "None") (ne .type "ClusterIP") -}}{{- fail (printf "%s.clusterIP: a %s needs an address of its own" $key .type) -}}{{- end -}}
{{- if and (gt (len .ipFamilies) 1) (not (hasSuffix "DualStack" .ipFamilyPolicy)) -}}{{- fail (printf "%s.ipFamilyPolicy: two families are PreferDualStack or RequireDualStack" $key) -}}{{- end -}}
{{- end -}}
{{- end -}}

{{- /* spec of a Service; what the values do not have is not there, nor what its type does not have: (dict "root" $ "service" .Values.service "expose" "public") */ -}}

{{- define "gatepost.serviceSpec" -}}
{{- $service := .service -}}
{{- include "gatepost.serviceChecks" . -}}
type: {{ $service.type }}
selector:
  {{- include "gatepost.selectorLabels" .root | nindent 2 }}
ports:
  {{- include "gatepost.servicePorts" (dict "root" .root "expose" .expose "type" $service.type) | trim | nindent 2 }}
{{- if or (ne $service.type "ClusterIP") $service.externalIPs }}
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
