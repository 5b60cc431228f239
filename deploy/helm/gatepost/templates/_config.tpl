{{- /* gatepost.yaml: `config`, and what is made from other values where `config` does not say it. Passwords stand in it only where it is a Secret. */ -}}

{{- /* The ConfigMap or Secret that somebody else keeps, if any. */ -}}
{{- define "gatepost.foreignConfig" -}}
{{- with .Values -}}
{{- if and .existingConfigMap .existingConfigSecret -}}{{- fail "existingConfigMap and existingConfigSecret: which one?" -}}{{- end -}}
{{- $name := default .existingConfigMap .existingConfigSecret -}}
{{- if and $name .secretConfig -}}{{- fail (printf "secretConfig is about `config`, but %s has the configuration. In a Secret of yours: existingConfigSecret" $name) -}}{{- end -}}
{{- $name -}}
{{- end -}}
{{- end -}}

{{- define "gatepost.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if not $config.upstreams -}}{{- fail "config.upstreams: where does mail go? For example [{name: default, servers: [\"mta.mail.svc:25\"]}]" -}}{{- end -}}
{{- $listeners := include "gatepost.listeners" . | fromYaml -}}
{{- $made := dict "listeners" list -}}
{{- range $name, $one := $listeners -}}
{{- $listener := dict "name" $name "address" (printf "*:%d" (int $one.port)) "tls" $one.tls.mode -}}
{{- if eq $one.tls.mode "none" -}}{{- $_ := set $listener "require_tls" false -}}{{- end -}}
{{- if $one.proxyProtocol.enabled -}}{{- $_ := set $listener "proxy_protocol_from" $one.proxyProtocol.trustedCIDRs -}}{{- end -}}
{{- $_ := set $made "listeners" (append $made.listeners (mustMergeOverwrite $listener $one.config)) -}}
{{- end -}}
{{- $_ := set $made "admin" (dict "address" (printf "*:%d" (int .Values.metrics.port)) "socket" "/run/gatepost/admin.sock") -}}
{{- $_ := set $made "log" (dict "format" "json") -}}
{{- $_ := set $made "drain" (dict "delay" (printf "%ds" (int .Values.drain.delaySeconds)) "timeout" (printf "%ds" (int .Values.drain.timeoutSeconds))) -}}
{{- $_ := set $made "tls" (include "gatepost.tlsConfig" . | fromYaml) -}}
{{- $_ := set $made "backends" dict -}}
{{- $_ := set $made "auth" (dict "backends" list) -}}
{{- /* A limit of CPU is heeded. Without one they would be as many as the node has CPUs, and so would hashes of passwords, whose memory is the pod's. */ -}}
{{- if not (dig "limits" "cpu" "" (default dict .Values.resources)) -}}
{{- $_ := set $made "workers" 2 -}}
{{- $_ := set $made.auth "concurrency" 2 -}}
{{- end -}}
{{- if .Values.auth.existingSecret -}}
{{- $_ := set $made.backends "local" (dict "type" "file" "path" (printf "/etc/gatepost/auth/%s" .Values.auth.existingSecretKey)) -}}
{{- $_ := set $made.auth "backends" (append $made.auth.backends "local") -}}
{{- end -}}
{{- if .Values.auth.scram.existingSecret -}}
{{- $_ := set $made.auth "scram_secret_file" (printf "/etc/gatepost/scram/%s" .Values.auth.scram.existingSecretKey) -}}
{{- end -}}
{{- if and .Values.redis.users (not .Values.redis.enabled) -}}{{- fail "redis.users needs redis.enabled" -}}{{- end -}}
{{- if .Values.redis.enabled -}}
{{- $redis := include "gatepost.redisConfig" . | fromYaml -}}
{{- $_ := set $made "limit_store" (merge (dict "type" "redis") $redis) -}}
{{- if .Values.redis.users -}}
{{- $_ := set $made.backends "redis" (merge (dict "type" "redis") $redis) -}}
{{- $_ := set $made.auth "backends" (append $made.auth.backends "redis") -}}
{{- end -}}
{{- end -}}
{{- $whole := mustMergeOverwrite $made $config -}}
{{- if not (or $whole.auth.backends (include "gatepost.nobodyLogsIn" $whole)) -}}
{{- fail "who knows the passwords? auth.existingSecret, redis.users, or config.backends and config.auth.backends" -}}
{{- end -}}
{{- range list "tls" "backends" -}}{{- if not (get $whole .) -}}{{- $_ := unset $whole . -}}{{- end -}}{{- end -}}
{{- $text := toYaml $whole -}}
{{- if and (not .Values.secretConfig) (or (regexMatch "(?m)^[ -]*([a-z_]*_)?(password|passwd|passphrase|pw|secret): *([^ \"$]|\"[^\"$])" $text) (regexMatch "://[^/ ]*:[^/ $@]+@" $text)) -}}
{{- fail "config: a password stands in the values. Use password_file with extraSecretMounts, or ${NAME} with extraEnv, or secretConfig" -}}
{{- end -}}
{{- $text -}}
{{- end -}}

{{- define "gatepost.nobodyLogsIn" -}}
{{- $asked := list -}}
{{- range .listeners -}}{{- if ne (toString .require_auth) "false" -}}{{- $asked = append $asked .name -}}{{- end -}}{{- end -}}
{{- if not $asked -}}yes{{- end -}}
{{- end -}}

{{- define "gatepost.tlsConfig" -}}
{{- $tls := dict -}}
{{- $own := (default dict .Values.config.tls).certificates -}}
{{- range $name, $one := include "gatepost.listeners" . | fromYaml -}}
{{- if and (ne $one.tls.mode "none") (not $own) -}}
{{- $_ := include "gatepost.tlsSource" $ -}}
{{- $_ := set $tls "certificates" (list (dict "certificate" "/etc/gatepost/tls/tls.crt" "key" "/etc/gatepost/tls/tls.key")) -}}
{{- end -}}
{{- end -}}
{{- with .Values.tls.ticketKeys -}}
{{- if .existingSecret -}}{{- $_ := set $tls "ticket_keys" (printf "/etc/gatepost/ticket-keys/%s" .existingSecretKey) -}}{{- end -}}
{{- end -}}
{{- toYaml $tls -}}
{{- end -}}

{{- /* Fails where nothing gives a certificate. */ -}}
{{- define "gatepost.tlsSource" -}}
{{- with .Values.tls -}}
{{- if and .selfSigned.enabled (or .certManager.enabled .existingSecret) -}}{{- fail "tls.selfSigned.enabled: and another source of the certificate" -}}{{- end -}}
{{- if .selfSigned.enabled -}}
{{- if not .selfSigned.image -}}{{- fail "tls.selfSigned.image: name an image that has the command openssl" -}}{{- end -}}selfSigned
{{- else if .certManager.enabled -}}certManager
{{- else if .existingSecret -}}existingSecret
{{- else -}}{{- fail "which certificate? tls.existingSecret, tls.certManager.enabled or, for trials, tls.selfSigned.enabled" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "gatepost.redisConfig" -}}
{{- with .Values.redis.external -}}
{{- if not .addresses -}}{{- fail "redis.external.addresses: where is it?" -}}{{- end -}}
{{- $scheme := ternary "rediss" "redis" .tls.enabled -}}
{{- $url := printf "%s://%s/%d" $scheme (first .addresses) (int .database) -}}
{{- if .sentinelMaster -}}
{{- $url = printf "%s-sentinel://%s/%s/%d" $scheme (join "," .addresses) .sentinelMaster (int .database) -}}
{{- else if gt (len .addresses) 1 -}}
{{- fail "redis.external.addresses: more than one is for Sentinel: redis.external.sentinelMaster" -}}
{{- end -}}
{{- $made := dict "url" $url -}}
{{- with .username -}}{{- $_ := set $made "username" . -}}{{- end -}}
{{- if .existingSecret -}}{{- $_ := set $made "password_file" (printf "/etc/gatepost/redis/%s" .existingSecretKey) -}}{{- end -}}
{{- if .tls.existingSecret -}}{{- $_ := set $made "tls_ca" (printf "/etc/gatepost/redis-ca/%s" .tls.existingSecretKey) -}}{{- end -}}
{{- toYaml $made -}}
{{- end -}}
{{- end -}}
