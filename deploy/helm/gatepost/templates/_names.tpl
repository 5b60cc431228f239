{{- /* What objects are called, and the labels by which they are found. */ -}}

{{- define "gatepost.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- /* Not longer than 52, since the longest suffix makes it 63 with what KEDA puts before it. */ -}}
{{- define "gatepost.fullname" -}}
{{- $name := include "gatepost.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- $full = default $full .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $full) -}}
{{- fail (printf "fullnameOverride: %s cannot be the name of a Service, which begins with a small letter and has only those, digits and -" $full) -}}
{{- end -}}
{{- $full -}}
{{- end -}}

{{- define "gatepost.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "gatepost.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "gatepost.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "gatepost.selectorLabels" -}}
app.kubernetes.io/name: {{ include "gatepost.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "gatepost.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "gatepost.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- /* metadata of an object: (dict "root" $ "suffix" "" "namespace" "" "labels" (dict) "annotations" (dict)) */ -}}
{{- define "gatepost.metadata" -}}
{{- $root := .root -}}
name: {{ include "gatepost.fullname" $root }}{{ .suffix }}
namespace: {{ default (include "gatepost.namespace" $root) .namespace | quote }}
labels:
  {{- include "gatepost.labels" $root | nindent 2 }}
  {{- with merge (deepCopy (default dict .labels)) (default dict $root.Values.commonLabels) }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (deepCopy (default dict .annotations)) (default dict $root.Values.commonAnnotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
