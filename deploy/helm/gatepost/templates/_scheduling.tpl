{{- /* How many pods there are, how they are replaced, and where they run. */ -}}

{{- /* The key that says how many. */ -}}
{{- define "gatepost.scaler" -}}
{{- $on := list -}}
{{- range list "autoscaling" "keda" -}}
{{- $scaler := get $.Values . -}}
{{- if $scaler.enabled -}}
{{- if eq $.Values.kind "DaemonSet" -}}{{- fail (printf "%s.enabled and kind: DaemonSet: the nodes are as many as they are" .) -}}{{- end -}}
{{- if gt (int $scaler.minReplicas) (int $scaler.maxReplicas) -}}{{- fail (printf "%s.minReplicas: more than maxReplicas" .) -}}{{- end -}}
{{- $on = append $on . -}}
{{- end -}}
{{- end -}}
{{- if gt (len $on) 1 -}}{{- fail "autoscaling.enabled and keda.enabled: both would set the number of pods" -}}{{- end -}}
{{- if eq .Values.kind "DaemonSet" -}}nodes{{- else -}}{{- default "replicaCount" (first $on) -}}{{- end -}}
{{- end -}}

{{- /* rollingUpdate stands only where Kubernetes takes it. */ -}}
{{- define "gatepost.updateStrategy" -}}
{{- $strategy := .Values.updateStrategy -}}
{{- if eq $strategy.type (ternary "OnDelete" "Recreate" (eq .Values.kind "Deployment")) -}}
{{- fail (printf "updateStrategy.type: a %s knows no %s" .Values.kind $strategy.type) -}}
{{- end -}}
type: {{ $strategy.type }}
{{- if eq $strategy.type "RollingUpdate" -}}
{{- $zero := list "0" "0%" -}}
{{- $unavailable := not (has (toString $strategy.rollingUpdate.maxUnavailable) $zero) -}}
{{- $surge := not (has (toString $strategy.rollingUpdate.maxSurge) $zero) -}}
{{- if not (or $unavailable $surge) -}}{{- fail "updateStrategy.rollingUpdate: maxUnavailable and maxSurge are both 0, so no pod could be replaced" -}}{{- end -}}
{{- if and (eq .Values.kind "DaemonSet") $surge -}}
{{- if $unavailable -}}{{- fail "updateStrategy.rollingUpdate: of a DaemonSet either maxUnavailable or maxSurge is 0" -}}{{- end -}}
{{- range $name, $one := include "gatepost.listeners" . | fromYaml -}}
{{- if $one.hostPort -}}{{- fail (printf "listeners.%s.hostPort: a second pod of the node cannot have it, so no pod of a DaemonSet could be replaced. updateStrategy.rollingUpdate: {maxUnavailable: 1, maxSurge: 0}" $name) -}}{{- end -}}
{{- end -}}
{{- end }}
rollingUpdate:
  {{- toYaml $strategy.rollingUpdate | nindent 2 }}
{{- end -}}
{{- end -}}

{{- define "gatepost.scheduling" -}}
{{ include "gatepost.nodes" . | trim }}
{{- /* One pod on each node is spread already. */ -}}
{{- range $key := ternary (list "affinity" "topologySpreadConstraints") (list "affinity") (eq .Values.kind "Deployment") }}
{{- with get $.Values $key }}
{{ $key }}:
  {{- tpl (toYaml .) $ | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* What the pod of the test needs too. */ -}}
{{- define "gatepost.nodes" -}}
{{- range $key := list "priorityClassName" "runtimeClassName" "schedulerName" "dnsPolicy" }}
{{- with get $.Values $key }}
{{ $key }}: {{ . }}
{{- end }}
{{- end }}
{{- if kindIs "bool" .Values.hostUsers }}
hostUsers: {{ .Values.hostUsers }}
{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "hostAliases" "dnsConfig" }}
{{- with get $.Values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}
