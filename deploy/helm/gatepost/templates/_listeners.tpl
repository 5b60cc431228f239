{{- /* The listeners that are on, each complete, as a map in YAML. */ -}}

{{- define "gatepost.listeners" -}}
{{- $listeners := dict -}}
{{- $taken := dict (.Values.metrics.port | int | toString) "metrics.port" -}}
{{- range $name, $written := .Values.listeners -}}
{{- $base := dict "enabled" true "expose" "public" "nodePort" 0 "hostPort" 0 "appProtocol" "" "tls" (dict "mode" "starttls") "proxyProtocol" (dict "enabled" false "trustedCIDRs" list) "config" dict -}}
{{- $one := mustMergeOverwrite $base (deepCopy $written) -}}
{{- if $one.enabled -}}
{{- range list "port" "exposedPort" -}}
{{- if not (hasKey $one .) -}}{{- fail (printf "listeners.%s.%s is missing" $name .) -}}{{- end -}}
{{- end -}}
{{- $port := $one.port | int | toString -}}
{{- if hasKey $taken $port -}}{{- fail (printf "listeners.%s.port: %s is that of %s too" $name $port (get $taken $port)) -}}{{- end -}}
{{- $_ := set $taken $port (printf "listeners.%s" $name) -}}
{{- if and $one.proxyProtocol.enabled (not $one.proxyProtocol.trustedCIDRs) -}}
{{- fail (printf "listeners.%s.proxyProtocol.trustedCIDRs: who must speak PROXY? Nobody is believed unasked; name the addresses of your load balancer as pods see them" $name) -}}
{{- end -}}
{{- $_ := set $listeners $name $one -}}
{{- end -}}
{{- end -}}
{{- if not $listeners -}}{{- fail "listeners: none is enabled" -}}{{- end -}}
{{- toYaml $listeners -}}
{{- end -}}

{{- /* "yes" where a listener of this Service is on: (dict "root" $ "expose" "public") */ -}}
{{- define "gatepost.exposes" -}}
{{- range include "gatepost.listeners" .root | fromYaml -}}
{{- if eq .expose $.expose -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{- /* A Kubernetes port's name has 15 characters at most: a longer one keeps its begin, and 4 characters of its sum. */ -}}
{{- define "gatepost.portName" -}}
{{- if gt (len .) 15 -}}{{ trunc 10 . | trimSuffix "-" }}-{{ sha256sum . | trunc 4 }}{{- else -}}{{ . }}{{- end -}}
{{- end -}}

{{- /* ports of a Service: (dict "root" $ "expose" "public" "type" "LoadBalancer") */ -}}
{{- define "gatepost.servicePorts" -}}
{{- range $name, $one := include "gatepost.listeners" .root | fromYaml }}
{{- if eq $one.expose $.expose }}
- name: {{ include "gatepost.portName" $name }}
  port: {{ $one.exposedPort }}
  targetPort: {{ include "gatepost.portName" $name }}
  protocol: TCP
  {{- if and (ne $.type "ClusterIP") $one.nodePort }}
  nodePort: {{ $one.nodePort }}
  {{- end }}
  {{- with $one.appProtocol }}
  appProtocol: {{ . }}
  {{- end }}
{{- end }}
{{- end }}
{{- end -}}
