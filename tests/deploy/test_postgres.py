"""The local PostgreSQL: created once, guarded by its password, taken over after a crash of its launcher."""

import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from deploy.local.postgres import PostgresServer, create_database, stop_left_over
from deploy.local.process import ManagedProcess, free_port


def ask(server: PostgresServer, question: str) -> object:
    with psycopg.connect(host="127.0.0.1", port=server.port, user="postgres", password=server.password) as asked:
        row = asked.execute(question).fetchone()
        assert row is not None
        return row[0]


async def test_data_survives_a_restart_and_strangers_stay_out(server_folder: Path) -> None:
    server = PostgresServer(server_folder / "pg", free_port(), server_folder / "pg.log", password="s3cret")
    for time in ("first", "second"):
        server.prepare()
        process = ManagedProcess(server.spec())
        await process.start()
        await process.wait_ready()
        if time == "first":
            create_database(server.url(driver="postgresql"), "orders")
        create_database(server.url(driver="postgresql"), "orders")  # again: nothing happens
        assert ask(server, "SELECT count(*) FROM pg_database WHERE datname = 'orders'") == 1
        assert ask(server, "SHOW fsync") == "on"
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.url(driver="postgresql").replace("s3cret", "guess"))
        await process.stop()
        assert process.exit_code == 0
        assert "database system is shut down" in server.log_file.read_text()


async def test_a_server_that_outlived_its_launcher_is_ended_before_the_next_start(server_folder: Path) -> None:
    server = PostgresServer(server_folder / "pg", free_port(), server_folder / "pg.log", durable=False)
    server.prepare()
    forgotten = ManagedProcess(server.spec())
    await forgotten.start()
    await forgotten.wait_ready()
    server.prepare()
    await forgotten.wait()
    process = ManagedProcess(server.spec())
    await process.start()
    await process.wait_ready()
    await process.stop()


async def test_a_server_that_was_killed_in_mid_work_is_no_obstacle(server_folder: Path) -> None:
    server = PostgresServer(server_folder / "pg", free_port(), server_folder / "pg.log", durable=False)
    server.prepare()
    for _ in range(3):
        process = ManagedProcess(server.spec())
        await process.start()
        await process.wait_ready()
        with psycopg.connect(server.url(driver="postgresql")):
            sessions = psutil.Process(process.pid).children()
            await process.kill()
        assert not any(one.is_running() for one in sessions), "they hold the memory that the next one asks for"
        server.prepare()


async def test_a_creation_that_was_interrupted_is_begun_again(server_folder: Path) -> None:
    server = PostgresServer(server_folder / "pg", free_port(), server_folder / "pg.log", durable=False)
    (server_folder / "pg").mkdir()
    (server_folder / "pg" / "base").touch()
    server.prepare()
    assert (server_folder / "pg" / "PG_VERSION").read_text().strip() == "18"


def test_whoever_took_over_the_number_of_a_dead_server_is_spared(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        (tmp_path / "postmaster.pid").write_text(f"{bystander.pid}\n{tmp_path}\n")
        stop_left_over(tmp_path)
        assert psutil.Process(bystander.pid).is_running()
        assert not (tmp_path / "postmaster.pid").exists()
        bystander.communicate(b"\n")
