package http

import (
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"
)

// discard is a ResponseWriter that stores headers only.
type discard struct{ header http.Header }

func (d discard) Header() http.Header            { return d.header }
func (d discard) Write(data []byte) (int, error) { return len(data), nil }
func (d discard) WriteHeader(int)                {}

// BenchmarkHandler measures the status poll without the network, beside a bare Echo handler with the same headers.
func BenchmarkHandler(b *testing.B) {
	w := newWorld(b)
	page := w.As("xiaomi").GET("/v1/partners/xiaomi/milestones").Want(http.StatusOK)
	bare := echo.New()
	bare.GET("/v1/partners/:partner/milestones", func(ctx echo.Context) error {
		header := ctx.Response().Header()
		for _, name := range []string{"Etag", "Cache-Control", "Tandem-Position"} {
			header.Set(name, page.header.Get(name))
		}
		return ctx.NoContent(http.StatusNotModified)
	})
	for name, handler := range map[string]http.Handler{"ours": w.api.Handler(), "bare": bare} {
		b.Run(name, func(b *testing.B) {
			r, err := http.NewRequest(http.MethodGet, "/v1/partners/xiaomi/milestones", nil)
			require.NoError(b, err)
			r.RequestURI = r.URL.RequestURI()
			r.Header.Set("Authorization", "Bearer "+w.tokens["xiaomi"])
			r.Header.Set("If-None-Match", page.etag())
			b.ReportAllocs()
			for b.Loop() {
				out := discard{make(http.Header, 4)}
				handler.ServeHTTP(out, r)
				require.NotEmpty(b, out.header)
			}
		})
	}
}
