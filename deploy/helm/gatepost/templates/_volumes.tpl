{{- /* What is mounted, for the pod itself and for those that check its configuration. Folders, never subPath: what is rotated in a Secret is seen. */ -}}

{{- define "gatepost.secretMounts" -}}
{{- $mounts := list -}}
{{- with .Values.auth -}}
{{- if .existingSecret -}}{{- $mounts = append $mounts (dict "name" "auth" "secretName" .existingSecret "mountPath" "/etc/gatepost/auth") -}}{{- end -}}
{{- if .scram.existingSecret -}}{{- $mounts = append $mounts (dict "name" "scram" "secretName" .scram.existingSecret "mountPath" "/etc/gatepost/scram") -}}{{- end -}}
{{- end -}}
{{- if or .Values.tls.certManager.enabled .Values.tls.existingSecret -}}
{{- $mounts = append $mounts (dict "name" "tls" "secretName" (include "gatepost.tlsSecret" .) "mountPath" "/etc/gatepost/tls") -}}
{{- end -}}
{{- with .Values.tls.ticketKeys -}}
{{- if .existingSecret -}}{{- $mounts = append $mounts (dict "name" "ticket-keys" "secretName" .existingSecret "mountPath" "/etc/gatepost/ticket-keys") -}}{{- end -}}
{{- end -}}
{{- if .Values.redis.enabled -}}
{{- with .Values.redis.external -}}
{{- if .existingSecret -}}{{- $mounts = append $mounts (dict "name" "redis" "secretName" .existingSecret "mountPath" "/etc/gatepost/redis") -}}{{- end -}}
{{- if .tls.existingSecret -}}{{- $mounts = append $mounts (dict "name" "redis-ca" "secretName" .tls.existingSecret "mountPath" "/etc/gatepost/redis-ca") -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- $mounts = concat $mounts (default list .Values.extraSecretMounts) -}}
{{- $taken := list "config" "run" -}}
{{- if .Values.tls.selfSigned.enabled -}}{{- $_ := include "gatepost.tlsSource" . -}}{{- $taken = append $taken "tls" -}}{{- end -}}
{{- range $mounts -}}
{{- if has .name $taken -}}{{- fail (printf "extraSecretMounts: the name %s is taken" .name) -}}{{- end -}}
{{- $taken = append $taken .name -}}
{{- end -}}
{{- toYaml (dict "mounts" $mounts) -}}
{{- end -}}

{{- define "gatepost.tlsSecret" -}}
{{- default (printf "%s-tls" (include "gatepost.fullname" .)) .Values.tls.existingSecret -}}
{{- end -}}

{{- define "gatepost.volumes" -}}
{{- $config := default (include "gatepost.fullname" .) (include "gatepost.foreignConfig" .) -}}
- name: config
{{- if or .Values.secretConfig .Values.existingConfigSecret }}
  secret:
    secretName: {{ $config }}
    defaultMode: 288
{{- else }}
  configMap:
    name: {{ $config }}
{{- end }}
- name: run
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- if .Values.tls.selfSigned.enabled }}
- name: tls
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- end }}
{{- range (include "gatepost.secretMounts" . | fromYaml).mounts }}
- name: {{ .name }}
  secret:
    secretName: {{ .secretName }}
    defaultMode: {{ default 288 .defaultMode }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "gatepost.volumeMounts" -}}
- name: config
  mountPath: /etc/gatepost/config
  readOnly: true
- name: run
  mountPath: /run/gatepost
{{- if .Values.tls.selfSigned.enabled }}
- name: tls
  mountPath: /etc/gatepost/tls
  readOnly: true
{{- end }}
{{- range (include "gatepost.secretMounts" . | fromYaml).mounts }}
- name: {{ .name }}
  mountPath: {{ .mountPath }}
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}
