// A real OpenID provider (oidc-provider, certified) for tests: node oidc_provider.mjs CONFIG. POST /test/keys changes its keys.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import Provider from 'oidc-provider';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));

function make(keys) {
  const provider = new Provider(config.issuer, {
    jwks: { keys },
    clients: config.clients,
    claims: { openid: ['sub'], profile: ['preferred_username'], email: ['email', 'email_verified'], groups: ['groups'] },
    conformIdTokenClaims: false,
    cookies: { keys: ['of tests'] },
    features: { devInteractions: { enabled: true } },
    findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id, ...config.users[id] }) }),
  });
  return provider.callback();
}

let answer = make(config.keys);
const server = http.createServer((request, response) => {
  if (request.url !== '/test/keys') {
    answer(request, response);
    return;
  }
  let body = '';
  request.on('data', (piece) => { body += piece; });
  request.on('end', () => {
    answer = make(JSON.parse(body));
    response.end('{}');
  });
});
server.listen(config.port, '127.0.0.1', () => console.log('serving'));
