package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// seeded are the images that every registry serves.
var seeded = []string{"shop/api:v1", "shop/web:v1", "shop/deep/nested/app:v1", "public/tool:v1"}

// fillRegistries pushes the images to the registry that asks for nothing. All
// of them share its storage, so all have them; a test may push more.
func (g *ground) fillRegistries(ctx context.Context) error {
	var through registry
	for _, r := range registries {
		if r.kind == anonymous {
			through = r
		}
	}
	client := pushClient{
		base: through.url(),
		http: http.Client{
			Timeout:   10 * time.Second,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: g.registry.pool()}},
		},
	}
	err := await(ctx, through.name, func() error {
		_, err := client.do(http.MethodGet, "/v2/", "", nil, http.StatusOK)
		return err
	})
	if err != nil {
		return err
	}
	for _, name := range seeded {
		image, err := busyboxImage(name)
		if err != nil {
			return err
		}
		if err := client.push(image, name); err != nil {
			return fmt.Errorf("pushing %s: %w", name, err)
		}
	}
	return nil
}

// pushClient pushes to a registry that asks for no credential.
type pushClient struct {
	base string
	http http.Client
}

func (c *pushClient) push(i *image, name string) error {
	repository, tag := splitTag(name)
	for _, b := range []blob{i.config, i.layer} {
		location, err := c.do(http.MethodPost, "/v2/"+repository+"/blobs/uploads/", "", nil, http.StatusAccepted)
		if err != nil {
			return err
		}
		query := location.Query()
		query.Set("digest", b.digest())
		location.RawQuery = query.Encode()
		_, err = c.do(http.MethodPut, location.RequestURI(), "application/octet-stream", b.content, http.StatusCreated)
		if err != nil {
			return err
		}
	}
	_, err := c.do(http.MethodPut, "/v2/"+repository+"/manifests/"+tag, i.manifest.mediaType, i.manifest.content, http.StatusCreated)
	return err
}

// do sends a request, insists on the status, and returns where the answer points.
func (c *pushClient) do(method, path, mediaType string, body []byte, status int) (*url.URL, error) {
	request, err := http.NewRequest(method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if mediaType != "" {
		request.Header.Set("Content-Type", mediaType)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != status {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	return url.Parse(response.Header.Get("Location"))
}
