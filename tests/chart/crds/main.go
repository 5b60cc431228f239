// Reads objects of the Prometheus operator on standard input, a JSON array, into the operator's own types, and complains of each field that they do not
// have. The operator's definitions in YAML cannot be had everywhere; its types can.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	v1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
)

func main() {
	var objects []json.RawMessage
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	wrong := 0
	for _, object := range objects {
		if err := read(object); err != nil {
			fmt.Println(err)
			wrong = 1
		}
	}
	os.Exit(wrong)
}

func read(object json.RawMessage) error {
	var head struct{ APIVersion, Kind string }
	if err := json.Unmarshal(object, &head); err != nil {
		return err
	}
	known := map[string]any{"ServiceMonitor": &v1.ServiceMonitor{}, "PodMonitor": &v1.PodMonitor{}, "PrometheusRule": &v1.PrometheusRule{}}
	into, there := known[head.Kind]
	if !there || head.APIVersion != "monitoring.coreos.com/v1" {
		return fmt.Errorf("%s %s is not known", head.APIVersion, head.Kind)
	}
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", head.Kind, err)
	}
	return nil
}
