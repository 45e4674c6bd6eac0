//go:build tools

// The Pulumi CLI as a Go module dependency, so that go.sum pins every byte it is built from.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
