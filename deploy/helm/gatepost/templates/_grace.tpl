{{- /* How long a pod may take to end: while an upstream's answer to a whole message is awaited, nothing cuts it. */ -}}

{{- /* Seconds of a duration such as 250ms, 30s, 5m, 1h or 1d, rounded up. */ -}}
{{- define "gatepost.seconds" -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- $count := regexFind "^[0-9]+" . | int -}}
{{- if not (and (regexMatch "^[0-9]+(ms|s|m|h|d)$" .)) -}}{{- fail (printf "%s is no duration such as 250ms, 30s, 5m, 1h or 1d" .) -}}{{- end -}}
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
