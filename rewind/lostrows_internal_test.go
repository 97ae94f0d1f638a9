package rewind

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMoneyIsInDollarsWhereTheLocaleSaysSo(t *testing.T) {
	assert.True(t, areDollars("", false), "as it is without a setting")
	assert.True(t, areDollars("C.UTF-8", true))
	assert.True(t, areDollars("en_US.UTF-8", true))
	assert.False(t, areDollars("", true), "whatever the server's environment says")
	assert.False(t, areDollars("ja_JP.UTF-8", true))
}
