// A provider for the tests: https://github.com/panva/node-oidc-provider with its own sign-in pages.
//
// It prints {"issuer": …} once it listens. Lines on standard input change it, and each is answered by {"done": …}:
//   rotate              sign with a new key from now on, and forget the old one
//   claims NAME {…}     what it tells about NAME from now on
// It ends when standard input does, so that it never outlives the test that started it.
import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { Provider } from 'oidc-provider';

const redirectBase = process.env.REDIRECT_BASE;
const told = new Map();

const signingKey = () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: randomUUID() };
};

const claimsOf = (name) => ({
  email: `${name}@provider.example`,
  email_verified: true,
  preferred_username: name,
  name: `${name} at the provider`,
  ...told.get(name),
});

const cookieKeys = [randomUUID()];

const provider = (issuer) => new Provider(issuer, {
  clients: ['google', 'generic'].map((id) => ({
    client_id: `ledger-${id}`,
    client_secret: 'a secret that only the two of them know',
    redirect_uris: [`${redirectBase}/api/auth/oidc/${id}/callback`],
  })),
  claims: { email: ['email', 'email_verified'], profile: ['name', 'preferred_username'] },
  cookies: { keys: cookieKeys },
  findAccount: async (_ctx, name) => ({ accountId: name, claims: async () => ({ sub: name, ...claimsOf(name) }) }),
  jwks: { keys: [signingKey()] },
  pkce: { required: () => true },
  responseTypes: ['code'],
});

let handle;
const server = createServer((request, response) => handle(request, response));
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  handle = provider(issuer).callback();
  console.log(JSON.stringify({ issuer }));
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const [word, name, ...rest] = line.split(' ');
    if (word === 'rotate') handle = provider(issuer).callback();
    if (word === 'claims') told.set(name, JSON.parse(rest.join(' ')));
    console.log(JSON.stringify({ done: word }));
  });
  lines.on('close', () => process.exit(0));
});
