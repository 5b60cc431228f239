{{- /* Which image, and who may pull it. What the chart says wins over what a parent says for all its charts. */ -}}

{{- define "gatepost.image" -}}
{{- $image := .Values.image -}}
{{- $registry := default (default dict .Values.global).imageRegistry $image.registry -}}
{{- with $registry }}{{ . }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default .Chart.AppVersion $image.tag }}{{ end -}}
{{- end -}}

{{- define "gatepost.imagePullSecrets" -}}
{{- $secrets := .Values.imagePullSecrets -}}
{{- range (default dict .Values.global).imagePullSecrets -}}
{{- $secrets = append $secrets (ternary (dict "name" .) . (kindIs "string" .)) -}}
{{- end -}}
{{- with $secrets | uniq -}}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}
