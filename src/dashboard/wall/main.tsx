import { render } from 'preact';
import '../common/style.css';
import './wall.css';
import './tiles.css';
import './alerts.css';
import { App } from './app.tsx';

const root = document.querySelector('#app');
if (root !== null) render(<App />, root);
