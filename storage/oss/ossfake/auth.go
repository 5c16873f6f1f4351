package ossfake

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// Credential is a key that requests may be signed with.
type Credential struct {
	ID     string
	Secret string
	// Token is the security token of a temporary (STS) key, which every
	// request must carry; "": a permanent key, with which none may.
	Token   string
	Expires time.Time // of a temporary key; zero: never
}

// keyring holds the keys that are accepted.
type keyring struct {
	mu   sync.Mutex
	byID map[string]Credential
}

// SetCredential adds a key, or replaces the one of the same ID.
func (s *Server) SetCredential(c Credential) {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	s.keys.byID[c.ID] = c
}

// RemoveCredential makes a key unknown. Removing an unknown one does nothing.
func (s *Server) RemoveCredential(id string) {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	delete(s.keys.byID, id)
}

func (k *keyring) find(id string) (Credential, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, ok := k.byID[id]
	return c, ok
}

// maxSkew is how far a request's date may be from the server's clock
// (help.aliyun.com/en/oss/support/http-status-code-403).
const maxSkew = 15 * time.Minute

// claim is what a request says about who sent it.
type claim struct {
	keyID     string
	token     string
	signed    time.Time // when the request was signed
	expires   time.Time // until when a signed URL holds; zero: a signature in the header
	toSign    string
	canonical string // V4: the canonical request, for the answer to a wrong signature
	given     string // the signature
	signature func(secret string) string
}

// authenticate lets a request through if its signature is right.
func (s *Server) authenticate(c *call) error {
	cl, err := s.claim(c)
	if err != nil {
		return err
	}
	key, ok := s.keys.find(cl.keyID)
	// A temporary key without its token is a documented case (number
	// 0002-00000003) whose code is not: it is answered as an unknown key.
	if !ok || key.Token != "" && cl.token == "" {
		return refuse(http.StatusForbidden, "InvalidAccessKeyId", "the access key is not known").with("OSSAccessKeyId", cl.keyID)
	}
	now := s.o.AuthNow()
	switch {
	case cl.token != key.Token:
		return refuse(http.StatusForbidden, "InvalidSecurityToken", "the security token is not valid").numbered("0002-00000006")
	case !key.Expires.IsZero() && !now.Before(key.Expires):
		return refuse(http.StatusForbidden, "SecurityTokenExpired", "the security token has expired").numbered("0002-00000007")
	case cl.expires.IsZero() && now.Sub(cl.signed).Abs() > maxSkew:
		return refuse(http.StatusForbidden, "RequestTimeTooSkewed", "the request's date is too far from the server's").
			with("MaxAllowedSkewMilliseconds", "900000").with("RequestTime", stamp(cl.signed)).with("ServerTime", stamp(now))
	case !cl.expires.IsZero() && now.After(cl.expires):
		return refuse(http.StatusForbidden, "AccessDenied", "the signed URL has expired").
			with("Expires", stamp(cl.expires)).with("ServerTime", stamp(now))
	case cl.signature(key.Secret) != cl.given:
		e := refuse(http.StatusForbidden, "SignatureDoesNotMatch", "the signature is not that of the request").
			with("OSSAccessKeyId", cl.keyID).with("SignatureProvided", cl.given).with("StringToSign", cl.toSign)
		if cl.canonical != "" {
			e = e.with("CanonicalRequest", cl.canonical)
		}
		return e
	}
	return nil
}

// claim reads the signature of a request, in whatever form it has.
func (s *Server) claim(c *call) (*claim, error) {
	auth := c.header("Authorization")
	v1, isV1 := strings.CutPrefix(auth, "OSS ")
	v4, isV4 := strings.CutPrefix(auth, algorithmV4+" ")
	urlV1 := auth == "" && c.query.Has("OSSAccessKeyId")
	urlV4 := auth == "" && c.query.Has("x-oss-signature-version")
	switch {
	case isV1 && !s.o.NoV1:
		return c.headerV1(v1)
	case urlV1 && !s.o.NoV1:
		return c.urlV1()
	case isV1 || urlV1:
		// The number is documented, the code is not: it is that of most
		// refusals with 403.
		return nil, refuse(http.StatusForbidden, "AccessDenied", "V1 signatures are not accepted").numbered("0002-00000080")
	case isV4 && !s.o.NoV4:
		return c.headerV4(v4, s.o.Region)
	case urlV4 && !s.o.NoV4:
		return c.urlV4(s.o.Region)
	case auth != "" || urlV4:
		return nil, invalid("the Authorization header is not valid")
	}
	return nil, refuse(http.StatusForbidden, "AccessDenied", "anonymous access is not allowed")
}
