// Listens or connects once, as another user where it is given one, and says what came of it; ends when it is told to.
import { UdsClient, UdsServer } from 'nest-uds';
import { settings, told } from './settings.mjs';

const { path, what, uid } = settings;
if (uid !== undefined) {
  process.setgroups([]);
  process.setgid(uid);
  process.setuid(uid);
}

const say = (error) => console.log(error === undefined ? 'done' : `${error.code}: ${error.message}`);
const ends = {
  listen() {
    const server = new UdsServer({ path });
    server.listen(say);
    return () => server.close();
  },
  connect() {
    const client = new UdsClient({ path, connectTimeoutMs: 200 });
    client.connect().then(() => say(), say);
    return () => client.close();
  },
};

const end = ends[what]();
await told('end');
await end();
