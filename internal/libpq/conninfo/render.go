package conninfo

import "strings"

// Render writes the settings as "pg_rewind -R" of that major does: those that
// have a value, in libpq's order (GenerateRecoveryConfig in
// fe_utils/recovery_gen.c). The server reads them with the libpq of its own major,
// so keywords that are unknown there are left out. major is 906 or 1300, for example;
// dbname is the result of DatabaseName.
func (s *Settings) Render(major int, dbname string) string {
	var pairs []string
	for _, k := range Keywords {
		value := s.values[k.Name]
		known := k.Since <= major && k.Shown <= major && (k.Until == 0 || major <= k.Until)
		// libpq would have replaced "auto" with the encoding of the locale.
		auto := k.Name == "client_encoding" && value == "auto"
		if known && !k.Hidden && value != "" && !auto {
			pairs = append(pairs, Pair(k.Name, value))
		}
	}
	if k := find("dbname"); major >= k.Appended && dbname != "" {
		pairs = append(pairs, Pair(k.Name, dbname))
	}
	return strings.Join(pairs, " ")
}

// Pair writes a keyword and its value.
func Pair(keyword, value string) string { return keyword + "=" + Quote(value) }

// Quote quotes a value if necessary (appendConnStrVal in
// fe_utils/string_utils.c).
func Quote(value string) string {
	if value != "" && strings.Trim(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") == "" {
		return value
	}
	return "'" + strings.NewReplacer(`'`, `\'`, `\`, `\\`).Replace(value) + "'"
}
