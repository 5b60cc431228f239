{{- /* Where Gatepost must be able to connect, by what its configuration names. A policy knows addresses and ports, no names: a server that is
written as a name is its port to anywhere. Of a Service a policy sees the pods and their ports, which may be others than the Service's: a name in the
cluster is any port of pods too. The pods of OpenShift's DNS are at 5353. */ -}}

{{- /* One rule for "host:port"; nothing for a socket's path: (dict "server" "mta:25" "port" "25") */ -}}
{{- define "gatepost.egressRule" -}}
{{- if not (hasPrefix "unix:" .server) -}}
{{- $port := default .port (regexFind ":[0-9]+$" .server | trimPrefix ":") -}}
{{- $host := regexReplaceAll ":[0-9]+$" .server "" | trimPrefix "[" | trimSuffix "]" -}}
- ports: [{port: {{ $port }}, protocol: TCP}]
{{- if regexMatch "^[0-9]+([.][0-9]+){3}$" $host }}
  to: [{ipBlock: {cidr: {{ $host }}/32}}]
{{- else if contains ":" $host }}
  to: [{ipBlock: {cidr: "{{ $host }}/128"}}]
{{- else if regexMatch "^[^.]+$|[.]svc([.]|$)" $host }}
- to: [{namespaceSelector: {}}]
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The servers of a Redis URL; those behind Sentinel have the usual port. */ -}}
{{- define "gatepost.egressRedis" -}}
{{- if not (hasPrefix "unix:" .) -}}
{{- $sentinel := contains "-sentinel://" . -}}
{{- $servers := regexReplaceAll "^[a-z-]+://([^/@]*@)?([^/]*).*$" . "${2}" -}}
{{- range splitList "," $servers }}
{{ include "gatepost.egressRule" (dict "server" . "port" (ternary "26379" "6379" $sentinel)) }}
{{- end }}
{{- if $sentinel }}
- ports: [{port: 6379, protocol: TCP}]
{{- end }}
{{- end -}}
{{- end -}}

{{- define "gatepost.egress" -}}
{{- $rules := list (dict "ports" (list (dict "port" 53 "protocol" "UDP") (dict "port" 53 "protocol" "TCP") (dict "port" 5353 "protocol" "UDP") (dict "port" 5353 "protocol" "TCP"))) -}}
{{- if include "gatepost.foreignConfig" . -}}
{{- if not .Values.networkPolicy.extraEgress -}}
{{- fail "networkPolicy.extraEgress: the chart cannot read in your configuration where Gatepost connects. Name your upstreams there, or set networkPolicy.egress.enabled: false" -}}
{{- end -}}
{{- else -}}
{{- $config := include "gatepost.config" . | fromYaml -}}
{{- range $config.upstreams -}}
{{- range .servers -}}{{- $rules = concat $rules (include "gatepost.egressRule" (dict "server" . "port" "25") | fromYamlArray) -}}{{- end -}}
{{- end -}}
{{- range concat (values (default dict $config.backends)) (list (default dict $config.limit_store)) -}}
{{- with .url -}}{{- $rules = concat $rules (include "gatepost.egressRedis" . | fromYamlArray) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml (concat ($rules | uniq) (default list .Values.networkPolicy.extraEgress)) -}}
{{- end -}}
