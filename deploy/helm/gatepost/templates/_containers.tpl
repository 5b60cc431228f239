{{- /* Containers that are the same in the Deployment and in the test. */ -}}

{{- define "gatepost.environment" -}}
{{- with .Values.extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "gatepost.check" -}}
- name: check
  image: {{ include "gatepost.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args: [check, --config, /etc/gatepost/config/gatepost.yaml]
  {{- with include "gatepost.environment" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  volumeMounts:
    {{- include "gatepost.volumeMounts" . | nindent 4 }}
{{- end -}}

{{- /* Runs once in the life of a pod, before everything else. */ -}}
{{- define "gatepost.selfSigned" -}}
- name: self-signed
  image: {{ .Values.tls.selfSigned.image }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [openssl, req, -x509, -newkey, "rsa:2048", -nodes, -days, "30", -subj, "/CN={{ .Values.tls.selfSigned.commonName }}", -addext, "subjectAltName=DNS:{{ .Values.tls.selfSigned.commonName }}", -keyout, /tls/tls.key, -out, /tls/tls.crt]
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  volumeMounts:
    - name: tls
      mountPath: /tls
{{- end -}}

{{- /* Init containers that fill volumes, before the check. */ -}}
{{- define "gatepost.filling" -}}
{{- if .Values.tls.selfSigned.enabled }}
{{ include "gatepost.selfSigned" . }}
{{- end }}
{{- with .Values.initContainers }}
{{ tpl (toYaml .) $ }}
{{- end }}
{{- end -}}
