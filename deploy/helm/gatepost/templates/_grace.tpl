{{- /* How long a pod may take to end: while an upstream's answer to a whole message is awaited, nothing cuts it. */ -}}

{{- /* Seconds of a duration such as 250ms, 30s, 5m, 1h or 1d, rounded up. */ -}}
{{- define "gatepost.seconds" -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- $count := regexFind "^[0-9]+" . | int -}}
{{- if not (regexMatch "^[0-9]+(ms|s|m|h|d)$" .) -}}{{- fail (printf "%s is no duration such as 250ms, 30s, 5m, 1h or 1d" .) -}}{{- end -}}
{{- if eq $unit "ms" -}}{{ div (add $count 999) 1000 }}{{- else -}}{{ mul $count (get (dict "s" 1 "m" 60 "h" 3600 "d" 86400) $unit) }}{{- end -}}
{{- end -}}

{{- define "gatepost.grace" -}}
{{- if .Values.terminationGracePeriodSeconds -}}
{{- .Values.terminationGracePeriodSeconds -}}
{{- else -}}
{{- $reply := 0 -}}
{{- range default (list dict) .Values.config.upstreams -}}
{{- $reply = max $reply (include "gatepost.seconds" (default "5m" .reply_timeout | toString) | int) -}}
{{- end -}}
{{- add (int .Values.drain.delaySeconds) (int .Values.drain.timeoutSeconds) $reply 10 -}}
{{- end -}}
{{- end -}}

{{- /* A pod that ends is no endpoint any more, whatever its probe says. But where it was the last one of its node, `externalTrafficPolicy: Local` still
sends it what the balancer has not yet learned, as long as its probe is well: so that must not fail before the ports are closed. */ -}}
{{- define "gatepost.readiness" -}}
{{- $probe := deepCopy .Values.readinessProbe -}}
{{- if not (hasKey $probe "failureThreshold") -}}
{{- $_ := set $probe "failureThreshold" (add (div (int .Values.drain.delaySeconds) (int (default 10 $probe.periodSeconds))) 2) -}}
{{- end -}}
{{- toYaml $probe -}}
{{- end -}}
