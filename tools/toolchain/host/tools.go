//go:build tools

// The Node.js language host as a Go module dependency, from the last release of the SDK module that holds it.
package tools

import _ "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs"
