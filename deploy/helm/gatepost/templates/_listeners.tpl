{{- /* The listeners that are on, each complete, as a map in YAML. */ -}}

{{- define "gatepost.listeners" -}}
{{- $listeners := dict -}}
{{- $taken := dict "port" (dict (.Values.metrics.port | int | toString) "metrics.port") -}}
{{- range $name, $written := .Values.listeners -}}
{{- $base := dict "enabled" true "expose" "public" "nodePort" 0 "hostPort" 0 "appProtocol" "" "tls" (dict "mode" "starttls") "proxyProtocol" (dict "enabled" false "trustedCIDRs" list) "config" dict -}}
{{- $one := mustMergeOverwrite $base (deepCopy $written) -}}
{{- if $one.enabled -}}
{{- range list "port" "exposedPort" -}}
{{- if not (hasKey $one .) -}}{{- fail (printf "listeners.%s.%s is missing" $name .) -}}{{- end -}}
{{- end -}}
{{- if eq $name "admin" -}}{{- fail "listeners.admin: the port for metrics and probes has this name" -}}{{- end -}}
{{- /* exposedPort is taken in one Service, the others are in all the pod and all the cluster. */ -}}
{{- range $key, $scope := dict "port" "port" "hostPort" "hostPort" "nodePort" "nodePort" "exposedPort" (printf "exposedPort-%s" $one.expose) -}}
{{- $port := get $one $key | int | toString -}}
{{- if not (or (eq $port "0") (eq $scope "exposedPort-none")) -}}
{{- $others := default dict (get $taken $scope) -}}
{{- if hasKey $others $port -}}{{- fail (printf "listeners.%s.%s: %s is that of %s too" $name $key $port (get $others $port)) -}}{{- end -}}
{{- $_ := set $taken $scope (set $others $port (printf "listeners.%s" $name)) -}}
{{- end -}}
{{- end -}}
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
