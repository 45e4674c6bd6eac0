//go:build tools

// The S3 server of the tests as a Go module dependency.
package tools

import _ "github.com/versity/versitygw/cmd/versitygw"
