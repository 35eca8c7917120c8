// SPDX-License-Identifier: Apache-2.0
// idp.mjs - an OpenID issuer for tests: node-oidc-provider, client_credentials.
// PORT, LIFE (of a token, in s), KEYS (a file for its key), MODULES (a folder
// with node_modules).  Clients: backup (secret in a header) and backup-post (in
// the body), both for the audience kafka; other, for the audience other.
import { createRequire } from 'node:module';
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';

const { PORT, KEYS, MODULES, LIFE = '300' } = process.env;
const require = createRequire(MODULES + '/package.json');
const { default: Provider } = await import(require.resolve('oidc-provider'));
const issuer = `http://127.0.0.1:${PORT}`;

if (!fs.existsSync(KEYS)) {
  const key = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 })
    .privateKey.export({ format: 'jwk' });
  fs.writeFileSync(KEYS, JSON.stringify({ keys: [
    { ...key, use: 'sig', alg: 'RS256', kid: crypto.randomUUID() }] }),
    { mode: 0o600 });
}
const client = (client_id, token_endpoint_auth_method) => ({
  client_id, client_secret: 'backup-secret', token_endpoint_auth_method,
  grant_types: ['client_credentials'], redirect_uris: [], response_types: [] });

const provider = new Provider(issuer, {
  jwks: JSON.parse(fs.readFileSync(KEYS)),
  scopes: ['kafka'],
  clients: [client('backup', 'client_secret_basic'),
    client('backup-post', 'client_secret_post'),
    client('other', 'client_secret_basic')],
  ttl: { ClientCredentials: Number(LIFE) },
  cookies: { keys: ['test'] },
  extraTokenClaims: async (_ctx, token) => ({ sub: token.clientId }),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'urn:kafka',
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, _resource, c) => ({
        scope: 'kafka', audience: c.clientId === 'other' ? 'other' : 'kafka',
        accessTokenTTL: Number(LIFE), accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'RS256' } } }),
    },
  },
});
http.createServer(provider.callback()).listen(Number(PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
